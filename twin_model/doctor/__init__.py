"""What older versions of the program left wrong in a town, and the changeset that mends it.

`doubled` finds networks that stand twice, `joined` makes one feature of two, `repeated_findings` does so for findings,
`treatment` makes one changeset of it all. Not here: the rules by which a delivery is known again (`identity`), how a
version is undone (`history`), the verb (`api_config/commands/doctor.py`).

    treatment = treatment_of(store)                     # reads; nothing changes
    apply_treatment(store, treatment, author="planner", reason="delivered twice in 2024")
"""

from twin_model.doctor.treatment import LayerTreatment, Treatment, apply_treatment, treatment_of

__all__ = ["LayerTreatment", "Treatment", "apply_treatment", "treatment_of"]
