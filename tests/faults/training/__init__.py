"""Trainings whose processes are killed while they train."""
