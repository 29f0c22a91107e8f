"""All exercises, in their order: quick ones first, those that wait for something begun earlier last."""

from gameday.exercises import alarms, database, deploys, runs

EXERCISES = (
    *runs.EXERCISES,
    *alarms.EXERCISES,
    *deploys.EXERCISES,
    *database.EXERCISES,
    *alarms.LATE,
    *deploys.LATE,
)
