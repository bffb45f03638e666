from typing import Any

Kimi_K25MultimodalProjection: Any
Kimi_K25VisionModel: Any
