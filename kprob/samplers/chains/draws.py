"""The draws of a sampler: positions of all chains, what each transition reported, and where the chains stand."""

import io
import json
from dataclasses import dataclass, field

import numpy as np

from kprob.samplers.chains.origin import Origin
from kprob.samplers.kernels.kernel import Info
from kprob.saving.plain_content import parse_json, read_arrays

_EVIDENCE = "log_evidence_"  # and the number of the population: a key in saved files


@dataclass
class Draws:
    """The run of a sampler so far: plain arrays.

    Attributes:
        positions: Unconstrained numbers of the draws that are kept, (chains, draws, d).
        infos: What each kept transition reported, (chains, draws, fields of `Info`).
        values: Values of the latents by name, (chains, draws, ...).
        states: State of each chain as a list of arrays, in the order of the sampler's state.
        seeds: Seed of each chain.
        done: Transitions of each chain so far, warm-up included.
        wanted: Transitions of each chain that the fits so far asked for.
        sites: Shapes of the latents' unconstrained numbers, by name.
        fingerprint: Of the data: other data has another one.
        sampler: Identity of the sampler (`Sampler.identity`): chains of another one have states of another kind.
        log_evidence: Each population's estimate of the log-evidence, where a sampler has populations.
        origin: What they are draws of, beside the data.
        anchors: Places at which the chains' log-density is known, and the log-density in the last column, (places, d + 1).
    """

    positions: np.ndarray
    infos: np.ndarray
    values: dict[str, np.ndarray]
    states: list[list[np.ndarray]]
    seeds: list[np.ndarray]
    done: int = 0
    wanted: int = 0
    sites: dict[str, tuple[int, ...]] = field(default_factory=dict)
    fingerprint: str = ""
    sampler: str = ""
    log_evidence: np.ndarray | None = None
    origin: Origin = field(default_factory=Origin)
    anchors: np.ndarray | None = None

    @property
    def num_chains(self) -> int:
        """Chains."""
        return self.positions.shape[0]

    @property
    def num_draws(self) -> int:
        """Draws that each chain has kept."""
        return self.positions.shape[1]

    @property
    def statistics(self) -> dict[str, np.ndarray]:
        """The fields of `Info` for each kept transition, by name: (chains, draws)."""
        return {name: self.infos[..., i] for i, name in enumerate(Info._fields)}

    def add(self, positions: np.ndarray, infos: np.ndarray, values: dict[str, np.ndarray]) -> None:
        """Appends draws."""
        self.positions = np.concatenate([self.positions, positions], axis=1)
        self.infos = np.concatenate([self.infos, infos], axis=1)
        self.values = (
            {name: np.concatenate([self.values[name], value], axis=1) for name, value in values.items()}
            if self.values
            else dict(values)
        )

    def to_bytes(self) -> bytes:
        """Returns all of it as the bytes of a NumPy archive."""
        estimates = () if self.log_evidence is None else self.log_evidence.tolist()
        about: dict[str, object] = {
            "done": self.done,
            "wanted": self.wanted,
            "sites": self.sites,
            "fingerprint": self.fingerprint,
            "sampler": self.sampler,
            "record": {f"{_EVIDENCE}{i}": value for i, value in enumerate(estimates)},
        }
        if self.origin.to_json():
            about["origin"] = self.origin.to_json()
        arrays = {"positions": self.positions, "infos": self.infos}
        arrays |= {} if self.anchors is None else {"anchors": self.anchors}
        arrays |= {f"value/{name}": value for name, value in self.values.items()}
        arrays |= {f"seed/{i}": seed for i, seed in enumerate(self.seeds)}
        arrays |= {f"state/{i}/{j}": leaf for i, leaves in enumerate(self.states) for j, leaf in enumerate(leaves)}
        buffer = io.BytesIO()
        np.savez(buffer, allow_pickle=False, about=np.frombuffer(json.dumps(about).encode(), "uint8"), **arrays)
        return buffer.getvalue()

    @classmethod
    def from_bytes(cls, content: bytes) -> "Draws":
        """Makes draws from what `to_bytes` returned."""
        stored = read_arrays(content)
        about = parse_json(stored["about"].tobytes())
        chains = len([name for name in stored if name.startswith("seed/")])
        states = [
            [stored[f"state/{i}/{j}"] for j in range(len([n for n in stored if n.startswith(f"state/{i}/")]))]
            for i in range(chains)
        ]
        values = {name.removeprefix("value/"): stored[name] for name in stored if name.startswith("value/")}
        return cls(
            stored["positions"],
            stored["infos"],
            values,
            states,
            [stored[f"seed/{i}"] for i in range(chains)],
            about["done"],
            about["wanted"],
            {name: tuple(shape) for name, shape in about["sites"].items()},
            about["fingerprint"],
            about.get("sampler", ""),
            _read_evidence(about.get("record", {})),
            Origin.from_json(about.get("origin", {})),
            stored.get("anchors"),
        )

    def pooled(self) -> dict[str, np.ndarray]:
        """Returns the draws of all chains one after the other, by name: (chains * draws, ...)."""
        return {name: value.reshape(-1, *value.shape[2:]) for name, value in self.values.items()}


def _read_evidence(record: dict[str, float]) -> np.ndarray | None:
    estimates = [value for name, value in record.items() if name.startswith(_EVIDENCE)]
    return np.array(estimates) if estimates else None
