// The classifier families. A new one is added to the variant here, and to `build` and `heads` in the .cpp file.
#pragma once

#include <string>
#include <variant>
#include <vector>

#include <torch/torch.h>

#include "io/grid_weight.h"
#include "models/cnn.h"
#include "models/convnext.h"
#include "models/efficientnet.h"
#include "models/mobilenet_v3.h"
#include "models/resnet.h"
#include "models/tiny_vit.h"
#include "models/vit.h"

namespace sparring {

using Architecture =
    std::variant<CnnOptions, ResNetOptions, ViTOptions, TinyViTOptions, ConvNeXtOptions, MobileNetV3Options, EfficientNetOptions>;

// A network with random weights: [B, 3, H, W] -> [B, num_classes]. Families whose weights depend on the size of their
// input take images of `image_size` pixels, the others of any size.
torch::nn::AnyModule make_network(const Architecture& architecture, int64_t num_classes, int64_t image_size);

// Names of the layers whose output are the classes.
std::vector<std::string> head_names(const Architecture& architecture);

// Its weights that a file may have for another size of the input, or of the windows.
std::vector<GridWeight> grid_weights(const Architecture& architecture);

}  // namespace sparring
