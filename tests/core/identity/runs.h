// The training runs whose results must be the same bits on every machine: the one list.

#ifndef TALLY_TESTS_CORE_IDENTITY_RUNS_H_
#define TALLY_TESTS_CORE_IDENTITY_RUNS_H_

#include <cstdint>
#include <ostream>
#include <span>
#include <string>

#include "core/learner/model_spec.h"

namespace tally::test {

struct IdentityRun {
  const char* name;  // [a-z0-9_]+
  const char* spec;  // YAML, or the name of a network of the zoo
  uint32_t steps;    // mini-batches; every fifth is a partial one
  // Of the whole run, as RunDigest gives it.
  const char* digest;
};

// For messages of failed tests.
inline std::ostream& operator<<(std::ostream& out, const IdentityRun& run) {
  return out << run.name;
}

// Every algorithm of the house, with the options that take different ways through the kernels.
std::span<const IdentityRun> IdentityRuns();

ModelSpec SpecOf(const IdentityRun& run);

// Trains from scratch on samples drawn with integers from the run's own seed, and predicts. SHA-256
// over the state digest, the loss and the hits of every mini-batch, and the scores of all rows.
std::string RunDigest(const IdentityRun& run);

}  // namespace tally::test

#endif  // TALLY_TESTS_CORE_IDENTITY_RUNS_H_
