"""The demo: every part of the way, real or simulated by a real server, at work on a month of the sample clinics."""

from consumer.sandbox.demo.command import CommandError
from consumer.sandbox.demo.demo import Demo, Outcomes
from consumer.sandbox.demo.feed import StandstillError
from consumer.sandbox.demo.parts import Parts
from consumer.sandbox.demo.screen import Screen

__all__ = ["CommandError", "Demo", "Outcomes", "Parts", "Screen", "StandstillError"]
