// Samples whose channels come first, for models whose channels come last.

#ifndef TALLY_CLIENT_DATASETS_CHANNELS_LAST_H_
#define TALLY_CLIENT_DATASETS_CHANNELS_LAST_H_

#include <cstdint>
#include <vector>

#include "client/datasets/dataset.h"

namespace tally {

// Whether rows of shape `data` are those of `model` but for their first dimension, which the model
// wants last: [3,32,32] for [32,32,3], or [9,128] for [128,1,9]. Dimensions of 1 do not count.
bool WantsChannelsLast(const std::vector<uint32_t>& data, const std::vector<uint32_t>& model);

// Rearranges every row from [channels, places...] to [places..., channels].
void MoveChannelsLast(Dataset& dataset);

}  // namespace tally

#endif  // TALLY_CLIENT_DATASETS_CHANNELS_LAST_H_
