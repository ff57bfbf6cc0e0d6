"""One writer per office: each turns the plan into files of the format that office would deliver.

The writers share no table with the service's readers; what they know comes from the standards and from
practice. The plan itself lives in `plan/`.
"""
