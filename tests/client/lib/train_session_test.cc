// Goal: a TrainSession delivers every sample exactly once and in order, whatever breaks, in
// bounded memory.
// Method: sessions against an in-process server that a script makes keep, drop, acknowledge or
// break; afterwards the labels the server kept are compared with those that were sent.

#include "tally/train_session.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <numeric>
#include <random>
#include <thread>

#include "tally/error_details.h"
#include "tests/client/lib/fake_server.h"

namespace tally {
namespace {

using std::chrono::milliseconds;
using testing::Act;
using testing::FakeServer;
using ::testing::HasSubstr;
using testing::WithField;
using testing::WithRetryInfo;

constexpr size_t kRowBytes = 10;

class TrainSessionTest : public ::testing::Test {
 protected:
  TrainSessionTest() {
    ClientOptions options;
    options.backoff_first = milliseconds(1);
    options.backoff_max = milliseconds(4);
    client_ = *Client::Connect(server_.address(), options);
    options_.model = "digits";
    options_.source = "s";
  }

  void Open() {
    auto session = TrainSession::Open(*client_, options_);
    ASSERT_TRUE(session.ok()) << session.status();
    session_ = *std::move(session);
  }

  // One packet of `rows` samples whose labels are their sequences.
  absl::Status Send(uint32_t rows) {
    std::vector<uint32_t> labels(rows);
    std::iota(labels.begin(), labels.end(), static_cast<uint32_t>(session_->next_sequence()));
    return session_->Send(std::string(rows * kRowBytes, 'x'), labels);
  }

  void SendAndFinish(uint32_t packets, uint32_t rows) {
    for (uint32_t i = 0; i < packets; ++i) ASSERT_TRUE(Send(rows).ok());
    const absl::Status status = session_->Finish();
    ASSERT_TRUE(status.ok()) << status;
  }

  void ExpectLearnt(uint64_t count) const {
    std::vector<uint32_t> expected(count);
    std::iota(expected.begin(), expected.end(), 1u);
    EXPECT_EQ(server_.training.learnt(), expected);
  }

  FakeServer server_;
  std::unique_ptr<Client> client_;
  TrainSessionOptions options_;
  std::unique_ptr<TrainSession> session_;
};

TEST_F(TrainSessionTest, DeliversEverythingInOrderOverOneStream) {
  Open();
  EXPECT_EQ(session_->next_sequence(), 1u);
  SendAndFinish(50, 7);
  ExpectLearnt(350);
  EXPECT_EQ(server_.training.streams(), 1u);
  EXPECT_EQ(session_->progress().source.durable_through(), 350u);
  EXPECT_EQ(session_->progress().interruptions, 0u);
  EXPECT_TRUE(server_.training.saw_deadline());
}

TEST_F(TrainSessionTest, FinishWithoutSamplesIsOk) {
  Open();
  EXPECT_TRUE(session_->Finish().ok());
  EXPECT_EQ(server_.training.streams(), 0u);
}

TEST_F(TrainSessionTest, SendAfterFinishIsRefused) {
  Open();
  SendAndFinish(1, 1);
  EXPECT_EQ(Send(1).code(), absl::StatusCode::kFailedPrecondition);
  ExpectLearnt(1);
}

TEST_F(TrainSessionTest, SendWithoutLabelsIsRefusedAndHarmless) {
  Open();
  EXPECT_EQ(session_->Send("", {}).code(), absl::StatusCode::kInvalidArgument);
  SendAndFinish(2, 2);
  ExpectLearnt(4);
}

TEST_F(TrainSessionTest, ALaterSessionOfTheSameSourceContinues) {
  Open();
  SendAndFinish(3, 5);
  Open();
  EXPECT_EQ(session_->next_sequence(), 16u);
  SendAndFinish(2, 5);
  ExpectLearnt(25);
  EXPECT_EQ(server_.training.skipped(), 0u);
}

TEST_F(TrainSessionTest, EverySampleArrivesOnceWhileStreamsBreakAtRandom) {
  std::mt19937 random(20261123);
  std::atomic<bool> honest = false;
  uint32_t breaks = 0;
  uint32_t silent = 0;  // in a row; the window holds three packets at least, so two do not block it
  server_.training.script = [&](uint64_t) {  // called by one stream at a time
    const auto draw = honest ? 7 : random() % 8;
    if (draw < 2) {
      ++breaks;
      silent = 0;
      return draw == 0 ? Act::kBreakBefore : Act::kBreakAfterwards;
    }
    if (draw < 4 && ++silent <= 2) return Act::kKeepSilently;
    silent = 0;
    return Act::kKeep;
  };
  options_.window_bytes = 500;
  Open();
  for (uint32_t i = 0; i < 400; ++i) ASSERT_TRUE(Send(1 + i % 9).ok());
  honest = true;  // a silent last packet would never be acknowledged
  for (uint32_t i = 0; i < 10; ++i) ASSERT_TRUE(Send(1).ok());
  const uint64_t sent = session_->next_sequence() - 1;
  EXPECT_TRUE(session_->Finish().ok());
  ExpectLearnt(sent);
  EXPECT_GT(breaks, 50u);
}

TEST_F(TrainSessionTest, SurvivesRestartsOfTheServer) {
  Open();
  for (int restart = 0; restart < 5; ++restart) {
    for (int i = 0; i < 20; ++i) {
      const absl::Status sent = Send(3);
      ASSERT_TRUE(sent.ok()) << sent;
    }
    server_.Stop();
    server_.Start();
  }
  SendAndFinish(1, 3);
  ExpectLearnt(303);
}

TEST_F(TrainSessionTest, NeverHasMoreThanTheWindowUnacknowledged) {
  // Of each five packets only the last is acknowledged.
  server_.training.script = [](uint64_t packet) {
    return packet % 5 == 4 ? Act::kKeep : Act::kKeepSilently;
  };
  options_.window_bytes = 7 * (kRowBytes + 4);  // seven packets of one row
  Open();
  SendAndFinish(100, 1);
  ExpectLearnt(100);
  EXPECT_LE(server_.training.unacknowledged_bytes_max(), options_.window_bytes);
}

TEST_F(TrainSessionTest, SendWaitsForRoomUntilAnAcknowledgementArrives) {
  std::atomic<uint64_t> sent = 0;
  std::atomic<bool> acknowledge = false;
  uint64_t sent_before_acknowledgement = 0;
  server_.training.script = [&](uint64_t packet) {
    if (packet != 1) return packet == 0 ? Act::kKeepSilently : Act::kKeep;
    // Both packets of the window are here and nothing is acknowledged: the third Send is still
    // waiting.
    sent_before_acknowledgement = sent;
    acknowledge = true;
    return Act::kKeep;
  };
  options_.window_bytes = 2 * (kRowBytes + 4);
  Open();
  for (int i = 0; i < 3; ++i) {
    ASSERT_TRUE(Send(1).ok());
    ++sent;
  }
  EXPECT_TRUE(acknowledge);
  EXPECT_TRUE(session_->Finish().ok());
  EXPECT_LE(sent_before_acknowledgement, 2u);
}

TEST_F(TrainSessionTest, APacketLargerThanTheWindowPassesAlone) {
  options_.window_bytes = 1;
  Open();
  SendAndFinish(10, 4);
  ExpectLearnt(40);
  EXPECT_LE(server_.training.unacknowledged_bytes_max(), 4 * (kRowBytes + 4));
}

TEST_F(TrainSessionTest, KeepsPacketsUntilTheyAreDurableAndSendsThemAgainAfterPowerLoss) {
  server_.training.durable_lag = 6;
  server_.training.script = [&](uint64_t packet) {
    if (packet != 10) return Act::kKeep;
    server_.training.LoseWhatIsNotDurable();
    server_.training.durable_lag = 0;
    return Act::kBreakBefore;
  };
  Open();
  SendAndFinish(20, 2);
  ExpectLearnt(40);
  EXPECT_EQ(session_->progress().interruptions, 1u);
}

TEST_F(TrainSessionTest, SaysSoWhenSamplesAcknowledgedAsBufferedWereLost) {
  server_.training.durable_lag = 6;
  server_.training.script = [&](uint64_t packet) {
    if (packet != 10) return Act::kKeep;
    server_.training.LoseWhatIsNotDurable();
    return Act::kBreakBefore;
  };
  options_.durability = v1::DURABILITY_BUFFERED;
  options_.window_bytes = 1;  // one packet at a time: what was sent was acknowledged
  Open();
  absl::Status status;
  for (int i = 0; i < 20 && status.ok(); ++i) status = Send(2);
  if (status.ok()) status = session_->Finish();
  EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss) << status;
  EXPECT_THAT(std::string(status.message()), HasSubstr("samples 15 to 20"));
}

TEST_F(TrainSessionTest, AnInvalidPacketEndsTheSessionWithTheServersDetails) {
  server_.training.script = [](uint64_t packet) {
    return packet == 3 ? Act::kBreakBefore : Act::kKeep;
  };
  server_.training.broken =
      WithField(grpc::StatusCode::INVALID_ARGUMENT, "label 12", "samples.labels[0]");
  Open();
  absl::Status status;
  for (int i = 0; i < 5 && status.ok(); ++i) status = Send(1);
  if (status.ok()) status = session_->Finish();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  ASSERT_EQ(DetailsOf(status).fields.size(), 1u);
  EXPECT_EQ(DetailsOf(status).fields[0].field, "samples.labels[0]");
  EXPECT_EQ(server_.training.streams(), 1u) << "it must not be tried again";
  EXPECT_EQ(Send(1), status) << "the session stays ended";
  EXPECT_EQ(session_->WaitAcknowledged(), status);
  ExpectLearnt(3);
}

TEST_F(TrainSessionTest, ResourceExhaustedIsTriedAgainOnlyWithADelayFromTheServer) {
  server_.training.script = [](uint64_t packet) {
    return packet == 1 ? Act::kBreakBefore : Act::kKeep;
  };
  server_.training.broken = WithRetryInfo(grpc::StatusCode::RESOURCE_EXHAUSTED, "queue full", 20);
  std::vector<milliseconds> delays;
  options_.on_interruption = [&](const absl::Status&, milliseconds delay) {
    delays.push_back(delay);
  };
  Open();
  SendAndFinish(3, 1);
  ExpectLearnt(3);
  ASSERT_EQ(delays.size(), 1u);
  EXPECT_GE(delays[0], milliseconds(20)) << "the server's delay is a minimum";

  server_.training.script = [](uint64_t) { return Act::kBreakBefore; };
  server_.training.broken = grpc::Status(grpc::StatusCode::RESOURCE_EXHAUSTED, "too large");
  Open();
  absl::Status status = Send(1);
  if (status.ok()) status = session_->Finish();
  EXPECT_EQ(status.code(), absl::StatusCode::kResourceExhausted);
}

TEST_F(TrainSessionTest, TwoWritersOfOneSourceAreNoticed) {
  server_.training.script = [&](uint64_t packet) {
    if (packet == 1) server_.training.AddForeignSamples(5);
    return Act::kKeep;
  };
  Open();
  absl::Status status;
  for (int i = 0; i < 3 && status.ok(); ++i) status = Send(1);
  if (status.ok()) status = session_->Finish();
  EXPECT_EQ(status.code(), absl::StatusCode::kAborted) << status;
}

TEST_F(TrainSessionTest, CancelEndsAWaitingSend) {
  server_.training.script = [](uint64_t) { return Act::kKeepSilently; };
  options_.window_bytes = 1;
  Open();
  ASSERT_TRUE(Send(1).ok());
  std::thread canceller([&] {
    server_.training.WaitForPackets(1);
    session_->Cancel();
  });
  EXPECT_EQ(Send(1).code(), absl::StatusCode::kCancelled);
  EXPECT_EQ(session_->Finish().code(), absl::StatusCode::kCancelled);
  canceller.join();
}

TEST_F(TrainSessionTest, GivesUpWhenThereIsNoProgressForSoLong) {
  options_.give_up_after = milliseconds(30);
  Open();
  server_.Stop();
  ASSERT_TRUE(Send(1).ok());
  const absl::Status status = session_->Finish();
  EXPECT_EQ(status.code(), absl::StatusCode::kUnavailable);
  EXPECT_THAT(std::string(status.message()), HasSubstr("gave up after 30 ms"));
}

TEST_F(TrainSessionTest, AStreamAtTheEndOfItsLifetimeIsOpenedAgainSilently) {
  server_.training.script = [](uint64_t packet) {
    return packet == 0 ? Act::kKeepSilently : Act::kKeep;  // the first stream is never answered
  };
  options_.stream_lifetime = milliseconds(50);
  Open();
  SendAndFinish(1, 1);
  ExpectLearnt(1);
  EXPECT_GE(server_.training.streams(), 1u);
  EXPECT_EQ(session_->progress().interruptions, 0u);
}

TEST_F(TrainSessionTest, ProgressIsReportedAndNeverGoesBack) {
  uint64_t last = 0;
  uint32_t calls = 0;
  options_.on_progress = [&](const TrainProgress& progress) {
    EXPECT_GE(progress.source.accepted_through(), last);
    EXPECT_EQ(progress.prequential.seen(), progress.source.accepted_through());
    last = progress.source.accepted_through();
    ++calls;
  };
  Open();
  SendAndFinish(30, 2);
  EXPECT_EQ(last, 60u);
  EXPECT_EQ(calls, 30u);
}

TEST_F(TrainSessionTest, OpenReportsTheServersError) {
  server_.training.get_source_errors = {grpc::Status(grpc::StatusCode::NOT_FOUND, "no model")};
  EXPECT_EQ(TrainSession::Open(*client_, options_).status().code(), absl::StatusCode::kNotFound);
  options_.window_bytes = 0;
  EXPECT_EQ(TrainSession::Open(*client_, options_).status().code(),
            absl::StatusCode::kInvalidArgument);
}

TEST_F(TrainSessionTest, OutlivesTheClientItWasOpenedFrom) {
  Open();
  client_.reset();
  SendAndFinish(2, 2);
  ExpectLearnt(4);
}

}  // namespace
}  // namespace tally
