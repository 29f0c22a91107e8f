"""What the tests of the game day share."""

from pathlib import Path

import pytest

from delivery.assembly import Assembly, Stack
from gameday import waiting
from gameday.exercises import alarms, runs
from gameday.ground import Ground
from gameday.project import GameProject, environment_name
from tests.fixture import ENVIRONMENTS
from tests.gameday.world import World

NAME = environment_name("basic")


class SynthesizedHere(Assembly):
    """In place of what the CDK CLI works on: a deploy takes effect in the world at once."""

    world: World
    ground: Ground

    @property
    def stacks(self) -> tuple[Stack, ...]:
        return ()

    @property
    def names(self) -> list[str]:
        return self.ground.stacks

    def diff(self) -> tuple[int, str]:
        return 0, ""

    def deploy(self) -> bool:
        settings, world = self.ground.settings, self.world
        if any("0002" in file.name for file in self.ground.game.project.migrations.iterdir()):
            world.stacks_there[f"{settings.name}-Jobs"] = "UPDATE_ROLLBACK_COMPLETE"
            return False
        for name in self.names:
            world.stacks_there.setdefault(name, "CREATE_COMPLETE")
        world.instances.add(f"{settings.name}-mysql-jobs")
        world.variables["DATABASE_ENDPOINT"] = "proxy" if settings.proxy.enabled else "instance"
        world.storage = settings.made_database.storage_gb
        return True


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    """A world in which waiting takes no time."""
    world = World(NAME)
    monkeypatch.setattr(waiting, "time", world.clock)
    monkeypatch.setattr(waiting, "now", world.clock.now)
    for module in (alarms, runs):
        monkeypatch.setattr(module, "now", world.clock.now)
    return world


@pytest.fixture
def cli(world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In place of the CDK CLI: see SynthesizedHere."""

    def synthesize(ground: Ground) -> Assembly:
        assembly = SynthesizedHere(folder=tmp_path, environment=ground.name)
        object.__setattr__(assembly, "world", world)
        object.__setattr__(assembly, "ground", ground)
        return assembly

    monkeypatch.setattr(Ground, "synthesize", synthesize)


@pytest.fixture
def ground(world: World, cli: None, tmp_path: Path) -> Ground:
    """The ground on AWS, as far as the CDK CLI."""
    game = GameProject(tmp_path / "project", ENVIRONMENTS["basic"], name=NAME)
    return Ground(game, world, tmp_path, progress=lambda _: None)
