"""From ids to a snapshot: client, rate limit, crawl, archive, refresh."""
