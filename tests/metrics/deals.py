"""Deals as the API writes them, for tests of metrics: at a stage, or with dates."""

from strategies import days_ago

OPEN, WON, LOST = 1, 2, 3
STAGES = [{"id": f"s{n}", "name": name, "position": n} for n, name in enumerate(["New", "Offer", "Contract"])]


def staged(status, stage, value=100.0, been=(), **more):
    """A deal at a stage, which has spent a minute in each of the stages `been`."""
    return {
        "status": status,
        "value": value,
        "created_at": days_ago(100),
        "won_date": days_ago(10) if status == WON else None,
        "lost_date": days_ago(10) if status == LOST else None,
        "stage": {"id": stage, "pipeline": {"id": "p", "name": "P"}},
        "pipeline_stages": STAGES,
        "stage_durations": [{"stage_id": s, "total_seconds": 60} for s in been],
    } | more


def dated(status, created, closed=None, **more):
    """A deal created, and perhaps closed, at noon of a day."""
    dates = {WON: "won_date", LOST: "lost_date"}
    closing = {dates[status]: f"{closed}T12:00:00Z"} if closed else {}
    return {"status": status, "created_at": f"{created}T12:00:00Z"} | closing | more
