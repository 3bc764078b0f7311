// Two small NITI networks as YAML, for tests that put options on them: dense layers, and every kind
// of layer.

#ifndef TALLY_TESTS_SUPPORT_SMALL_NITI_H_
#define TALLY_TESTS_SUPPORT_SMALL_NITI_H_

namespace tally::test {

inline constexpr char kNitiDense[] = R"(algorithm: niti
input: {shape: [21]}
preprocessing: {kind: constants, unit: 51, mean: [100], deviation: [60]}
layers: [{units: 19, activation: relu}, {units: 7, activation: as_is}, {units: 3, activation: as_is}]
classes: 3
batch_size: 6
learning_rate: [{mu: 2}, {from_step: 6, mu: -1}]
schedule_steps: 100
)";

inline constexpr char kNitiImages[] = R"(algorithm: niti
input: {shape: [9, 8, 2]}
preprocessing: {kind: constants, scope: channel, unit: 51, mean: [100, 120], deviation: [60, 70]}
layers:
  - {kind: conv2d, units: 5, kernel: [3, 3], padding: [1, 1], activation: relu}
  - {kind: max_pool, kernel: [2, 2]}
  - {kind: conv2d, units: 17, kernel: [2, 2], activation: as_is}
  - {kind: dropout, drop_permille: 300}
  - {kind: max_pool, kernel: [1, 2]}
  - {kind: max_pool, kernel: [2, 1]}
  - {units: 9, activation: relu}
  - {kind: dropout, drop_permille: 500}
  - {units: 3, activation: as_is}
classes: 3
batch_size: 6
learning_rate: [{mu: 2}, {from_step: 6, mu: 0}]
schedule_steps: 100
)";

}  // namespace tally::test

#endif  // TALLY_TESTS_SUPPORT_SMALL_NITI_H_
