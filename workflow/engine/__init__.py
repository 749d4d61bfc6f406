"""The engine: claims instances that are due, drives each until it waits or ends, and recovers what others left."""

from workflow.engine.loop import Engine, Mode

__all__ = ["Engine", "Mode"]
