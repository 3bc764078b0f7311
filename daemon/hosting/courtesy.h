// Gives the processor up between mini-batches while calls look at models.
//
// On a board with one core, or with its cores busy, a call that arrives waits until the scheduler
// ends the trainer's turn, some milliseconds, and a call of gRPC needs several such turns. A
// trainer that gives way after every mini-batch makes it wait for mini-batches instead. It costs a
// stream 4 % of processor time, so it is done only while somebody looks: any call that asks for a
// model's snapshot counts, an open training stream does not (promise P5; figures in
// ../README.md). One thread.

#ifndef TALLY_DAEMON_HOSTING_COURTESY_H_
#define TALLY_DAEMON_HOSTING_COURTESY_H_

#include <cstdint>
#include <functional>

#include "daemon/storage/clock.h"

namespace tally::hosting {

class Courtesy {
 public:
  // So long after the mini-batch that noticed the last question the trainer goes on giving way.
  static constexpr int64_t kMemoryNs = 1'000'000'000;

  // `give_way` lets other threads run.
  Courtesy(storage::Clock& clock, std::function<void()> give_way);

  // After each mini-batch, with the number of questions so far.
  void AfterStep(uint64_t questions);

 private:
  storage::Clock& clock_;
  const std::function<void()> give_way_;
  uint64_t questions_ = 0;
  int64_t until_ns_;
};

}  // namespace tally::hosting

#endif  // TALLY_DAEMON_HOSTING_COURTESY_H_
