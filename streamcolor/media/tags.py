"""Which of a film's tags are true of the coloured film."""

from __future__ import annotations

import re
from collections.abc import Mapping

#: Tags that describe the source's own coding, as FFmpeg and mkvmerge write them.
_MEASURED = re.compile(
    r"encoder$|DURATION|BPS|NUMBER_OF_|_STATISTICS_|SOURCE_ID|major_brand|minor_version|compatible_brands"
    r"|vendor_id|filename$|mimetype$",
    re.IGNORECASE,
)


def lasting_tags(metadata: Mapping[str, str]) -> dict[str, str]:
    """The tags of a film or a stream that say something of its content."""
    return {name: value for name, value in metadata.items() if not _MEASURED.match(name)}
