"""An edge and the one origin behind it."""

from support.edge import Edge
from support.raw import Origin, answer


class Edged:
    """An edge before one origin whose behaviour a test may replace."""

    def __init__(self, config, **values):
        self.origin = Origin()
        self.edge = Edge(config, origin=self.origin.address, **values)

    def __enter__(self):
        self.edge.__enter__()
        return self

    def __exit__(self, *how):
        self.edge.__exit__(*how)
        self.origin.stop()

    def behave(self):
        """The default behaviour again, for the next test."""
        self.origin.reply = lambda request: answer(b"ok")
        self.origin.serve = self.origin._serve
        self.origin.requests.clear()
        return self
