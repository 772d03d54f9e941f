"""Makes schedules.json: ticks of schedules as croniter (7.0.0) finds them, with the days of crontab(5).

    pip install croniter==7.0.0 && python3 schedules.py > schedules.json
"""

import json
from datetime import datetime, timedelta, timezone

from croniter import croniter

SCHEDULES = [
    "* * * * *",
    "*/5 * * * *",
    "*/7 * * * *",
    "0 * * * *",
    "30 3 * * *",
    "0 0 * * *",
    "59 23 * * *",
    "0 0 1 * *",
    "0 0 31 * *",
    "0 0 30 * *",
    "0 0 29 2 *",
    "0 0 29 * *",
    "0 12 28-31 2 *",
    "0 0 * * 0",
    "0 0 * * 7",
    "0 0 * * sun",
    "0 9 * * 1-5",
    "0 9 * * mon-fri",
    "0 9 * * 5-7",
    "0 0 1 * 1",
    "0 0 13 * 5",
    "0 0 1,15 * 3",
    "0 0 */2 * 1",
    "0 0 13 * */2",
    "0 0 */10 * *",
    "15,45 6-18/3 * * *",
    "0-10/5,50 0,12 * * *",
    "5-55/10 * * * *",
    "0 0 1 1 *",
    "0 0 1 jan,jul *",
    "0 0 1 */3 *",
    "30 4 1-7 * 1",
    "0 0 31 12 *",
    "59 23 31 12 6",
    "0 22 * 2-4 6,0",
    "1-59/2 1-23/2 * * *",
]

# Two leap years and what is between, and the century that is none.
SPANS = [("2027-12-30T11:17:31", 366 * 1), ("2095-12-31T23:59:00", 366 * 1)]
RARE = [("2026-01-01T00:00:00", 366 * 12)]


def ticks(schedule, start, days):
    end = start + timedelta(days=days)
    found = croniter(schedule, start, ret_type=datetime, implement_cron_bug=True)
    while True:
        try:
            at = found.get_next(datetime)
        except Exception:
            return
        if at > end:
            return
        yield at


def main():
    rows = []
    for schedule in SCHEDULES:
        spans = RARE if " 2 *" in schedule and "29" in schedule else SPANS
        for start, days in spans:
            begin = datetime.fromisoformat(start).replace(tzinfo=timezone.utc)
            found = list(ticks(schedule, begin, days))
            if not found:
                continue
            shown = [at.strftime("%Y-%m-%dT%H:%M:%SZ") for at in found[:6]]
            total = sum(int(at.timestamp()) // 60 for at in found)
            rows.append(
                {
                    "schedule": schedule,
                    "from": start + "Z",
                    "count": len(found),
                    "sum": total,
                    "first": shown,
                }
            )
    print("[")
    print(",\n".join(json.dumps(row) for row in rows))
    print("]")


if __name__ == "__main__":
    main()
