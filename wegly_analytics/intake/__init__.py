"""Ids go in, a snapshot comes out: client, rate limit, crawl, archive, refresh."""
