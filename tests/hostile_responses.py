"""Responses that no honest server sends: status lines, headers, framings, encodings, whole other protocols."""

import gzip
import itertools
import zlib

DEAL = b'{"id": "00000000-0000-0000-0000-000000000001", "code": 1}'
N = str(len(DEAL)).encode()
GZIP = gzip.compress(DEAL)
LONG = b"x" * 1_000_000


def ok(*headers, body=DEAL, status=b"HTTP/1.1 200 OK"):
    return status + b"\r\n" + b"".join(line + b"\r\n" for line in headers) + b"\r\n" + body


def sized(*headers, body=DEAL, status=b"HTTP/1.1 200 OK"):
    return ok(b"Content-Length: %d" % len(body), *headers, body=body, status=status)


def chunked(body, *headers):
    return ok(b"Transfer-Encoding: chunked", *headers, body=body)


def endless(first, part, n=50_000):
    return lambda: itertools.chain([first], itertools.repeat(part, n))


LENGTHS = [
    b"abc", b"-1", b"-57", b"+" + N, b"5_7", b"1e2", b"0x39", b"57.0", b"NaN", b"", b" ", b"\xb2", b"\xd9\xa5\xd9\xa7",
    b"9" * 30, b"9" * 5000, b"58", b"1000000", b"0", b"1", b"56", b"57, 58", b"58, 57", b"57;58", b"57 58", b"57,",
    b"57\x00", b"\x0057", b"18446744073709551673", b"-0",
]  # fmt: skip
CHUNKS = {
    "negative": b"-5\r\n" + DEAL + b"\r\n0\r\n\r\n",
    "minus one": b"-1\r\n" + DEAL + b"\r\n0\r\n\r\n",
    "rubbish": b"xyz\r\n" + DEAL + b"\r\n0\r\n\r\n",
    "empty": b"\r\n" + DEAL + b"\r\n0\r\n\r\n",
    "none": b"",
    "huge": b"ffffffffffffffff\r\n" + DEAL + b"\r\n0\r\n\r\n",
    "enormous": b"f" * 5000 + b"\r\n" + DEAL,
    "too short": b"10\r\n" + DEAL + b"\r\n0\r\n\r\n",
    "too long": b"40\r\n" + DEAL + b"\r\n0\r\n\r\n",
    "not ended": b"39\r\n" + DEAL,
    "no last one": b"39\r\n" + DEAL + b"\r\n",
    "half": b"39\r\n" + DEAL[:20],
    "extension without end": b"39;" + LONG + b"\r\n" + DEAL + b"\r\n0\r\n\r\n",
    "latin-1 digits": b"\xb2\xb3\r\n" + DEAL + b"\r\n0\r\n\r\n",
    "nul": b"\x0039\r\n" + DEAL + b"\r\n0\r\n\r\n",
    "not chunked at all": DEAL,
    "trailer of a megabyte": b"39\r\n" + DEAL + b"\r\n0\r\nX: " + LONG + b"\r\n\r\n",
}
STATUS_LINES = [
    b"HTTP/1.1 000 X", b"HTTP/1.1 099 X", b"HTTP/1.1 1000 X", b"HTTP/1.1 2OO OK", b"HTTP/1.1 -200 OK", b"HTTP/1.1 OK",
    b"HTTP/1.1", b"HTTP/1.1 ", b"HTTP/1.1 20 OK", b"HTTP/1.1 2 OK", b"HTTP/1.1 2e2 OK", b"HTTP/1.1 \xb2\xb0\xb0 OK",
    b"HTTP/9.9 200 OK", b"HTTP/2 200 OK", b"HTTX/1.1 200 OK", b"ICY 200 OK", b"200 OK", b"\x00HTTP/1.1 200 OK", b"OK",
    b"http/1.1 200 OK", b"HTTP/1.1 999 X", b"HTTP/1.1 600 X", b"HTTP/1.1 200.0 OK", b"HTTP/1.1 0xC8 OK", LONG,
    b"HTTP/1.1 200 " + LONG, b"HTTP/1.1 NaN OK", b"HTTP/1.1 " + b"9" * 5000, b"\xff\xfe", b"HTTP/1.1\x00200 OK",
]  # fmt: skip
STATUSES = [
    101, 102, 103, 199, 201, 202, 203, 204, 205, 206, 207, 226, 299, 300, 301, 302, 303, 304, 305, 307, 308, 399, 400,
    402, 405, 406, 407, 408, 409, 410, 411, 413, 414, 415, 416, 418, 421, 422, 425, 426, 428, 431, 451, 499, 501, 505,
    508, 511, 520, 521, 522, 524, 525, 530, 599, 700, 998,
]  # fmt: skip
RETRY_AFTERS = [
    b"soon", b"-1", b"-1e9", b"NaN", b"inf", b"1e400", b"1e9", b"9" * 5000, b"\xd9\xa3", b"\xb2", b"", b",", b"1.5.5",
    b"Wed, 99 Foo 2026 99:99:99 GMT", b"Wed, 01 Jul 0000 00:00:00 GMT", b"Wed, 01 Jul 99999 00:00:00 GMT", b"3600",
    b"Fri, 31 Dec 9999 23:59:59 GMT", b"Wed, 01 Jul 2026 00:00:00 +9999", b"\x00", b"5\x00", LONG[:60_000], b"0x10",
]  # fmt: skip
LOCATIONS = [
    None, b"", b"http://[", b"http://[::1", b"//", b"///", b"http://", b"http://evil.example:99999/", b"\x00", b"\xff",
    b"http://evil.example:abc/", b"javascript:alert(1)", b"/", b"?", b"#", b"http://a b/", b"http://\xe2\x80\xae/",
    b"file:///etc/passwd", b"http://xn--/", b"http://" + b"a" * 60_000, b"https://[v1.x]/",
]  # fmt: skip


def responses():
    """All of them by name; each gives bytes, or makes an iterator of bytes."""
    found = {f"length {n}: {value[:20]!r}": ok(b"Content-Length: " + value) for n, value in enumerate(LENGTHS)}
    found |= {f"chunk {name}": chunked(body) for name, body in CHUNKS.items()}
    found |= {f"status line {n}: {line[:20]!r}": sized(status=line) for n, line in enumerate(STATUS_LINES)}
    found |= {f"status {n}": sized(status=b"HTTP/1.1 %d X" % n) for n in STATUSES}
    for status in (429, 503):
        line = b"HTTP/1.1 %d X" % status
        for n, value in enumerate(RETRY_AFTERS):
            found[f"retry {status} {n}: {value[:20]!r}"] = sized(b"Retry-After: " + value, status=line)
        found[f"retry {status} twice"] = sized(b"Retry-After: 0", b"Retry-After: x", status=line)
        found[f"retry {status} with a date that is none"] = sized(
            b"Retry-After: Wed, 01 Jul 2026 00:00:00 GMT", b"Date: \xff", status=line
        )
    for n, value in enumerate(LOCATIONS):
        headers = [] if value is None else [b"Location: " + value]
        found[f"redirect {n}"] = sized(*headers, status=b"HTTP/1.1 302 X")
    return found | {
        "two lengths": ok(b"Content-Length: 57", b"Content-Length: 58"),
        "two lengths, the first too short": ok(b"Content-Length: 5", b"Content-Length: 57"),
        "length and chunks": chunked(b"39\r\n" + DEAL + b"\r\n0\r\n\r\n", b"Content-Length: 57"),
        "two codings": ok(b"Transfer-Encoding: gzip, chunked", body=b"39\r\n" + DEAL + b"\r\n0\r\n\r\n"),
        "two coding headers": ok(b"Transfer-Encoding: chunked", b"Transfer-Encoding: chunked", body=b"0\r\n\r\n"),
        "unknown coding": ok(b"Transfer-Encoding: xyz"),
        "identity": ok(b"Transfer-Encoding: identity"),
        "coding with a control character": ok(b"Transfer-Encoding: \x0bchunked", body=b"0\r\n\r\n"),
        "header without colon": sized(b"this is no header"),
        "header without colon before the length": ok(b"no header", b"Content-Length: 57"),
        "header that begins with a space": ok(b" X: 1", b"Content-Length: 57"),
        "header with a nul": ok(b"X\x00Y", b"Content-Length: 57"),
        "70,000 headers": sized(*(b"X-%d: 1" % n for n in range(70_000))),
        "header of a megabyte": sized(b"X: " + LONG),
        "name of a megabyte": sized(LONG + b": 1"),
        "continuations": sized(b"X: 1", *([b" y"] * 200)),
        "gzip of rubbish": sized(b"Content-Encoding: gzip"),
        "gzip cut off": sized(b"Content-Encoding: gzip", body=GZIP[:20]),
        "gzip with a wrong checksum": sized(b"Content-Encoding: gzip", body=GZIP[:-8] + b"\x00" * 8),
        "gzip in gzip, said once": sized(b"Content-Encoding: gzip", body=gzip.compress(GZIP)),
        "gzip bomb": sized(b"Content-Encoding: gzip", body=gzip.compress(b" " * (64 << 20), 1)),
        "deflate of rubbish": sized(b"Content-Encoding: deflate"),
        "deflate cut off": sized(b"Content-Encoding: deflate", body=zlib.compress(DEAL)[:15]),
        "brotli": sized(b"Content-Encoding: br", body=b"\x0b\x1c\x80{}\x03"),
        "zstd": sized(b"Content-Encoding: zstd", body=b"\x28\xb5\x2f\xfd{}"),
        "a hundred encodings": sized(b"Content-Encoding: " + b"gzip, " * 100 + b"gzip"),
        "gzip that is not declared": sized(body=GZIP),
        "nothing": b"",
        "line breaks only": b"\r\n\r\n",
        "nul bytes": b"\x00" * 1000,
        "HTTP/0.9": DEAL,
        "HTTP/2 preface": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        "HTTP/2 settings": b"\x00\x00\x12\x04\x00\x00\x00\x00\x00\x00\x03\x00\x00\x00\x80",
        "TLS alert": b"\x15\x03\x01\x00\x02\x02\x28",
        "TLS handshake": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        "SSH": b"SSH-2.0-OpenSSH_9.6\r\n",
        "SMTP": b"220 mail.example ESMTP\r\n",
        "FTP": b"220 ftp\r\n331 user\r\n",
        "Redis": b"-ERR unknown command 'GET'\r\n",
        "a request": b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
        "random bytes": bytes(range(256)) * 10,
        "half a status line": b"HTTP/1.1 20",
        "half of the headers": b"HTTP/1.1 200 OK\r\nContent-Le",
        "half of the body": ok(b"Content-Length: 57", body=DEAL[:20]),
        "headers only": ok(b"Content-Length: 57", body=b""),
        "no body": sized(body=b""),
        "informational only": b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n",
        "100 only": b"HTTP/1.1 100 Continue\r\n\r\n",
        "100 without end": endless(b"", b"HTTP/1.1 100 Continue\r\n\r\n" * 1000),
        "100 with headers without end": endless(b"", b"HTTP/1.1 100 C\r\n" + b"X: 1\r\n" * 50 + b"\r\n"),
        "body without end": endless(ok(), b" " * 65536, 2000),
        "chunk extension without end": endless(chunked(b"39;"), b"x" * 65536, 2000),
        "trailers without end": endless(chunked(b"39\r\n" + DEAL + b"\r\n0\r\n"), b"X: 1\r\n" * 1000),
        "headers without end": endless(b"HTTP/1.1 200 OK\r\n", b"X: 1\r\n" * 1000),
        "header line without end": endless(b"HTTP/1.1 200 OK\r\nX: ", b"x" * 65536, 2000),
        "page of another server": sized(b"Content-Type: text/html", body=b"<html>\xe9\x00</html>"),
        "404 with a length that is none": ok(b"Content-Length: abc", status=b"HTTP/1.1 404 X"),
    }


def odd_but_true():
    """Responses that are strange, and whose deal is whole."""
    return {
        "hostile cookies": sized(
            b"Set-Cookie: a=b; Domain=.com; Expires=Wed, 99 Foo",
            b"Set-Cookie: \xff\x00=;;;",
            b"Set-Cookie: " + b"=" * 9000,
        ),
        "odd connection": sized(b"Connection: weird, \x00, keep-alive, close"),
        "same length twice": ok(b"Content-Length: 57", b"Content-Length: 57"),
        "odd retry after": sized(b"Retry-After: \xd9\xa3"),
        "odd characters in headers": sized(b"X: \xe9\xc3\xa9\x00\x7f", b"Date: \xff", b"Content-Type: \x00;=;"),
        "multipart type": sized(b"Content-Type: multipart/form-data"),
        "no length at HTTP/1.0": ok(status=b"HTTP/1.0 200 OK"),
        "odd reason": sized(status=b"HTTP/1.1 200 \xff\x00"),
        "early hints and continue": b"HTTP/1.1 100 Continue\r\nX: 1\r\n\r\n" + sized(),
        "chunks with extensions and trailers": chunked(
            b"10;a=b\r\n" + DEAL[:16] + b"\r\n29\r\n" + DEAL[16:] + b"\r\n0\r\nSet-Cookie: x\r\nno colon\r\n\r\n"
        ),
        "gzip": sized(b"Content-Encoding: gzip", body=GZIP),
    }
