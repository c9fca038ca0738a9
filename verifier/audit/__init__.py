"""One report from which a kit is signed off: all that is known of it, who says so, what nobody saw.

It runs after a kit was proved, and neither raises nor lowers the verdict.  Only `kit-verify audit`
and `offline-kit` import this room; `verify` starts without it.
"""
