"""The tree of our errors. They know nothing of HTTP: `api_config.web.problems` turns a class into a status.

An error carries a rule id and named values; its words come from `twin_model/messages/{zh,en}.toml`.
"""

from typing import Any, ClassVar

from twin_model.messages import messages, render


class TwinError(Exception):
    """We cannot go on. `str(error)` is the English sentence; `error.text("zh")` the Chinese one."""

    rule: ClassVar[str] = "error"
    door: str = ""
    """Where the error is read, see `text`."""

    def __init__(self, rule: str | None = None, /, **values: Any) -> None:
        super().__init__(rule or type(self).rule, values)
        self.rule_id = rule or type(self).rule
        self.values = values

    def text(self, lang: str = "en", door: str = "") -> str:
        """Return the four-part message in `lang` ("zh" or "en").

        `door` is where it is read: "http" takes the words of `<rule>_http` where a rule has some, because a client
        of the service cannot run our commands; "python" those of `<rule>_python`, for a notebook; "shell" the rule's own.
        """
        own = f"{self.rule_id}_{door or self.door}"
        return render(own if own in messages("en") else self.rule_id, lang, self.values)

    def __str__(self) -> str:
        return self.text("en")

    def __reduce__(self) -> tuple[Any, ...]:
        return _rebuilt, (type(self), self.rule_id, self.values)


def _rebuilt(kind: type["TwinError"], rule: str, values: dict[str, Any]) -> "TwinError":
    """Make an error again in another process."""
    return kind(rule, **values)


class TownWarning(UserWarning):
    """A warning in our words, by rule and values as an error's; the command line shows these and no other warnings."""

    def __init__(self, rule: str, /, **values: Any) -> None:
        super().__init__(render(rule, "en", values))
        self.rule_id = rule
        self.values = values

    def text(self, lang: str = "en") -> str:
        """Return the message in `lang` ("zh" or "en")."""
        return render(self.rule_id, lang, self.values)


class NotFound(TwinError):
    """What was asked for is not there; `nearest` among the values says what is."""


class LayerNotFound(NotFound):
    rule = "layer.not_found"


class FeatureNotFound(NotFound):
    rule = "feature.not_found"


class TownNotFound(NotFound):
    rule = "town.not_found"


class CalledWrongly(TwinError):
    """The caller can mend this: a bad argument, query or option."""


class QueryRefused(CalledWrongly):
    rule = "query.refused"


class CrsRefused(CalledWrongly):
    """A coordinate reference system is unknown, or a change of datum has no sanctioned parameters."""

    rule = "crs.unknown"


class TownExists(CalledWrongly):
    rule = "town.exists"


class EditRefused(CalledWrongly):
    """What an edit hands over does not fit its layer."""

    rule = "edit.value"


class CatalogueError(CalledWrongly):
    rule = "catalogue.invalid"


class SourceRefused(TwinError):
    """The data says no: a file that cannot be read as what it claims to be. Nothing of it was stored."""

    rule = "source.refused"


class StoreError(TwinError):
    rule = "store.error"


class StoreTooNew(StoreError):
    rule = "store.too_new"


class VersionConflict(StoreError):
    """An edit was based on a version that is no longer the newest."""

    rule = "store.version_conflict"


class RemovalsRefused(StoreError):
    """A delivery by which more would vanish than a survey usually ends."""

    rule = "store.removals"


class ChainBroken(StoreError):
    """The history is not as it was written."""

    rule = "store.chain_broken"


class WorkerError(TwinError):
    """Work in a child process did not end as it should; nothing else suffered."""

    rule = "worker.ended"


class WorkerEnded(WorkerError):
    rule = "worker.ended"


class WorkerTooSlow(WorkerError):
    rule = "worker.too_slow"


class WorkerOutOfMemory(WorkerError):
    rule = "worker.out_of_memory"


class PackageMissing(TwinError):
    """A call needs a package that is not installed with this Python."""

    rule = "notebook.no_package"


class ServiceFailed(TwinError):
    """A service that a notebook started did not come up."""

    rule = "notebook.service_ended"


class AccessRefused(TwinError):
    """The `View` does not admit this layer."""

    rule = "view.refused"


class DownloadForbidden(TwinError):
    """A layer is classed too high to leave on this way."""

    rule = "download.classified"
