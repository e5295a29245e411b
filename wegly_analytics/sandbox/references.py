"""The company's master data, as responses refer to it: people, sources, reasons, tags and stages with their ids."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from wegly_analytics.sandbox.lifecycle import RETIRED

if TYPE_CHECKING:
    from wegly_analytics.sandbox.entities import Pipeline, Stage
    from wegly_analytics.sandbox.truth import Truth

Json: TypeAlias = dict[str, Any]

FILES: Final = "https://files.example.com"


class References:
    """The company's entries by name; their ids follow from the seed.

    Parameters
    ----------
    truth
        The declaration of the company.
    seed
        The company's seed.
    """

    def __init__(self, truth: Truth, seed: int) -> None:
        self._namespace = uuid.uuid5(uuid.NAMESPACE_DNS, f"{seed}.sandbox.example.com")
        self.users = [self._with_image("user", owner.name, "avatar") for owner in truth.owners]
        self.sources = {source.name: self._with_image("source", source.name, "logo") for source in truth.sources}
        self.reasons = [self.named("reason", reason.name) for reason in truth.reasons]
        self.tags = [self.named("tag", tag.name) | {"color": tag.color} for tag in truth.tags]
        self.stages = {
            pipeline.name: [self._stage(pipeline.name, stage) for stage in pipeline.stages]
            for pipeline in truth.pipelines
        }
        self._retired = self._stage("", truth.retired)

    def id(self, kind: str, name: str) -> str:
        """Return the id of an entry of a kind."""
        return str(uuid.uuid5(self._namespace, f"{kind} {name}"))

    def named(self, kind: str, name: str) -> Json:
        """Return id and name of an entry of a kind."""
        return {"id": self.id(kind, name), "name": name}

    def stage(self, pipeline: Pipeline, position: int) -> Json:
        """Return id and name of the stage at a position of a pipeline."""
        return self._retired if position == RETIRED else self.stages[pipeline.name][position]

    def _with_image(self, kind: str, name: str, field: str) -> Json:
        entry = self.named(kind, name)
        return entry | {field: f"{FILES}/{field}s/{entry['id']}.png"}

    def _stage(self, pipeline: str, stage: Stage) -> Json:
        return self.named(f"stage of {pipeline}", stage.name)
