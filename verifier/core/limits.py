"""Every number the format fixes.  The prose is in manifests/FORMAT.md, "Limits"."""

from __future__ import annotations

KIB = 1024
MIB = 1024 * KIB

# The signed page (FORMAT 4)
PAGE_SIZES = (64 * KIB, 256 * KIB, 1 * MIB)
MAX_SIGNATURES = 64  # entries in one envelope
MAX_ROOT_CHAIN = 256 * KIB  # bytes of kit.roots.json
MAX_ROOTS = 64
MAX_ROOT = 64 * KIB

# Lists (FORMAT 5)
MAX_LIST = 512 * MIB  # kit.index, kit.frames and SHA256SUMS, each
MAX_MEMBERS = 1 << 22
MAX_MEMBER = 1 << 44  # bytes of one member
MAX_FIXED_MEMBER = 256 * MIB  # any member whose class is not `data` or `sums`
MAX_STREAM = 1 << 53  # bytes of all members behind the head

# Names (FORMAT 6)
MAX_PATH = 1024  # UTF-8 bytes
MAX_NAME = 255  # UTF-8 bytes of one component; ext4, XFS, NTFS
MAX_DEPTH = 64  # components

# Frames (FORMAT 8)
BLOCK = 128 * KIB  # RFC 8878 3.1.1.2.4: the largest raw block for our window
FRAME = 4 * MIB
BIG = 1 * MIB  # a member of this size or more starts its own frame
MAX_HEADERS = 2560  # PAX header, its records, ustar header
MAX_CONTENT = FRAME + MAX_HEADERS
MAX_STORED = MAX_CONTENT + 14 + 3 * (-(-MAX_CONTENT // BLOCK))
BOUND_BY_INDEX = 256 * MIB  # raw frames of smaller members need no digest of their own
END = 1024  # zero bytes after the last member

# JSON (FORMAT 3)
MAX_JSON_DEPTH = 64
MAX_JSON_INT = (1 << 53) - 1  # what every JSON reader holds exactly
MAX_SEQUENCE = 1 << 40
MAX_TIME = 8**11 - 1  # seconds; what eleven octal digits hold
