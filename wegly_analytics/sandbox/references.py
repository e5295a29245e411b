"""The company's fixed entries, as answers refer to them: people, sources, reasons, tags and stages with their ids."""

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
    """Knows a company's entries by name; ids follow from the seed.

    Parameters
    ----------
    truth
        What the company is made of.
    seed
        The company's seed.
    """

    def __init__(self, truth: Truth, seed: int) -> None:
        self._space = uuid.uuid5(uuid.NAMESPACE_DNS, f"{seed}.sandbox.example.com")
        self.users = [self._picture("user", owner.name, "avatar") for owner in truth.owners]
        self.sources = {source.name: self._picture("source", source.name, "logo") for source in truth.sources}
        self.reasons = [self.named("reason", reason.name) for reason in truth.reasons]
        self.tags = [self.named("tag", tag.name) | {"color": tag.color} for tag in truth.tags]
        self.stages = {
            pipeline.name: [self._stage(pipeline.name, stage) for stage in pipeline.stages]
            for pipeline in truth.pipelines
        }
        self._retired = self._stage("", truth.retired)

    def given(self, kind: str, name: str) -> str:
        """Give the id of an entry of a kind."""
        return str(uuid.uuid5(self._space, f"{kind} {name}"))

    def named(self, kind: str, name: str) -> Json:
        """Refer to an entry of a kind by id and name."""
        return {"id": self.given(kind, name), "name": name}

    def stage(self, pipeline: Pipeline, place: int) -> Json:
        """Refer to the stage at a place of a pipeline."""
        return self._retired if place == RETIRED else self.stages[pipeline.name][place]

    def _picture(self, kind: str, name: str, key: str) -> Json:
        named = self.named(kind, name)
        return named | {key: f"{FILES}/{key}s/{named['id']}.png"}

    def _stage(self, pipeline: str, stage: Stage) -> Json:
        return self.named(f"stage of {pipeline}", stage.name)
