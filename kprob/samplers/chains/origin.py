"""What draws are draws of, beside the data of the fit: by these fingerprints a changed density is found out."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from kprob.errors import names


@dataclass(frozen=True)
class Origin:
    """What draws are draws of. Files from before this was noted have nothing here, which agrees with anything.

    Attributes:
        weights: Fingerprint of the weights that the generative network reads, which a sampler holds fixed.
        constants: Fingerprints of what the model was made with and of the form in which its sites run, by name.
        rows: Fingerprint of each array of rows, by name, where latents have a value for each row.
    """

    weights: str = ""
    constants: Mapping[str, str] = field(default_factory=dict)
    rows: Mapping[str, str] = field(default_factory=dict)

    def change_to(self, other: "Origin") -> str | None:
        """Returns what has changed between this origin and another one, in words, or None where nothing has."""
        if self.weights and other.weights and self.weights != other.weights:
            return "weights of the generative network"
        # An argument that a class has got since is no change: its standard value does what was done before.
        both = [name for name in self.constants if name in other.constants]
        changed = [name for name in both if self.constants[name] != other.constants[name]]
        return f"arguments of the model, {names(changed)}," if changed else None

    def to_json(self) -> dict[str, Any]:
        """Returns what is known, as JSON can hold it."""
        known = {"weights": self.weights, "constants": dict(self.constants), "rows": dict(self.rows)}
        return {name: value for name, value in known.items() if value}

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> "Origin":
        """Makes an origin of what `to_json` returned."""
        return cls(content.get("weights", ""), content.get("constants", {}), content.get("rows", {}))
