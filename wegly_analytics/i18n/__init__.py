"""Every text a user sees, in each language; numbers and dates by Babel."""
