"""The rival of corruptions.mjs: imagecorruptions, as published, on one thread.

    python corruptions.py <file> <size> <count>    writes pictures, [count, size, size, 3], and prints {kind: seconds of CPU per image}
"""

import json
import sys
import time
from pathlib import Path

sys.path.append(str(Path(__file__).parent.parent / "test" / "parity"))
from make_corruption_goldens import CIFAR, NAMES, Image, cv2, np, package, picture, with_strengths  # checks the versions

path, size, count = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
cv2.setNumThreads(1)
pictures = np.stack([picture(size, number) for number in range(count)])
Path(path).write_bytes(pictures.tobytes())

seconds = {}
for name in NAMES:
    function = getattr(package, name)
    if size < 85 and name in CIFAR:
        function = with_strengths(function, CIFAR[name])
    once = pictures[:1] if name == "glass_blur" else pictures  # a loop over pixels in Python
    function(Image.fromarray(pictures[0]), 3)
    start = time.process_time()
    for one in once:
        np.uint8(function(Image.fromarray(one), 3))
    seconds[name] = (time.process_time() - start) / len(once)
print(json.dumps(seconds))
