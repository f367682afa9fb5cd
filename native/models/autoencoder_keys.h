// The names that other projects give the weights of latent diffusion's autoencoders and of VQGAN.
#pragma once

#include <cstddef>

#include "io/key_names.h"

namespace sparring {

// From the names of taming-transformers and latent-diffusion (also within the checkpoint of a whole diffusion model), and
// of diffusers before 0.18, to those of diffusers. `levels`: of the network.
KeyNames autoencoder_keys(size_t levels);

}  // namespace sparring
