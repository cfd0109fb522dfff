"""Which model is served, which is on trial beside it, and which were served before."""

from __future__ import annotations

from dataclasses import dataclass, replace

from sub_module.errors import ClusterError

# The one to go back to, and the one that is known again when a canary is taken back.
LONGEST_HISTORY = 2


@dataclass(frozen=True)
class Release:
    """A model, and the server that serves it.

    Attributes:
        model: Where it lies: pvc://CLAIM/PATH or gs://BUCKET/PATH.
        image: The server's.
    """

    model: str
    image: str

    @property
    def version(self) -> str:
        """The model's name among the deployed ones."""
        return self.model.rstrip("/").rpartition("/")[2]


@dataclass(frozen=True)
class Served:
    """What an InferenceService is to serve.

    Attributes:
        stable: To whom all traffic goes that the canary does not get.
        canary: Another one on trial; None: there is none.
        percent: Of the traffic, for the canary.
        history: What was stable before, the latest first.
        is_held: A canary was taken back: with Knative, traffic stays with the pods that were stable
            all the time, until something else is deployed.
    """

    stable: Release
    canary: Release | None = None
    percent: int = 0
    history: tuple[Release, ...] = ()
    is_held: bool = False

    @property
    def newest(self) -> Release:
        """The one whose pods are waited for."""
        return self.canary or self.stable

    def with_model(self, release: Release, percent: int | None) -> Served:
        """Serve it to all, or to so many per cent beside what is stable.

        Raises:
            ClusterError: All are to get it while another one is on trial: that one would have all
                traffic until this one is ready.
        """
        if release == self.stable:
            return Served(release, history=self.history, is_held=self.canary is not None)
        if percent is not None:
            return replace(self, canary=release, percent=percent, is_held=False)
        if self.canary is not None and self.canary != release:
            raise ClusterError(
                f"{self.canary.version} is on trial with {self.percent} % of the traffic: "
                "`deploy --promote` or `--rollback` first"
            )
        return Served(release, history=(self.stable, *self.history)[:LONGEST_HISTORY])

    def promoted(self) -> Served:
        """The canary to all; ClusterError: there is none."""
        if self.canary is None:
            raise ClusterError("there is no canary to promote")
        return self.with_model(self.canary, None)

    def rolled_back(self) -> Served:
        """Without the canary, else what was stable before, in exchange; ClusterError: nothing was.

        Twice is back again, as on a machine.
        """
        if self.canary is not None:
            return Served(self.stable, history=self.history, is_held=True)
        if not self.history:
            raise ClusterError("nothing was served before it")
        return Served(self.history[0], history=(self.stable, *self.history[1:]))
