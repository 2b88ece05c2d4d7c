"""The browser's RTCPeerConnection for asyncio: trickle ICE, faithful to the W3C's WebRTC, over aiortc.

    from peer import RTCPeerConnection

Names and behaviour are those of https://www.w3.org/TR/webrtc/, which docstrings call webrtc-pc; what is spelled in
snake_case is Python's own. Tracks, transceivers and the classes for a configuration (webrtc-pc 4.2) are aiortc's.
"""

from . import _ctrl_c  # noqa: F401 - what comes after it takes long

# isort: split
from aiortc import RTCConfiguration, RTCIceServer

from ._candidate import RTCIceCandidate
from ._connection import RTCPeerConnection
from ._data_channel import RTCDataChannel
from ._description import RTCSessionDescription
from ._errors import (
    DOMException,
    InvalidAccessError,
    InvalidModificationError,
    InvalidStateError,
    NotSupportedError,
    OperationError,
    RTCError,
)
from ._events import (
    Event,
    MediaStreamTrackEvent,
    MessageEvent,
    RTCDataChannelEvent,
    RTCErrorEvent,
    RTCPeerConnectionIceErrorEvent,
    RTCPeerConnectionIceEvent,
    RTCTrackEvent,
)
from ._ice_transport import RTCIceCandidatePair, RTCIceTransport
from ._interfaces import watch_interfaces
from ._media_stream import MediaStream

__version__ = "0.1.0"

__all__ = [
    "DOMException",
    "Event",
    "InvalidAccessError",
    "InvalidModificationError",
    "InvalidStateError",
    "MediaStream",
    "MediaStreamTrackEvent",
    "MessageEvent",
    "NotSupportedError",
    "OperationError",
    "RTCConfiguration",
    "RTCDataChannel",
    "RTCDataChannelEvent",
    "RTCError",
    "RTCErrorEvent",
    "RTCIceCandidate",
    "RTCIceCandidatePair",
    "RTCIceServer",
    "RTCIceTransport",
    "RTCPeerConnection",
    "RTCPeerConnectionIceErrorEvent",
    "RTCPeerConnectionIceEvent",
    "RTCSessionDescription",
    "RTCTrackEvent",
    "watch_interfaces",
]
