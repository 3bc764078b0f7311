// Goal: what a training call reads, keeps, acknowledges and how it ends.
// Method: a session between a scripted wire and a fake model, step by step in one thread, then
// under several
//         threads at once.

#include "daemon/rpc/train_session.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <condition_variable>
#include <thread>

#include "tests/daemon/rpc/fakes.h"

namespace tally::rpc {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

// Remembers what the session asked of the wire.
class ScriptedWire : public TrainTransport {
 public:
  void Read() override {
    EXPECT_FALSE(reading) << "two reads at a time";
    EXPECT_FALSE(finished);
    reading = true;
  }
  bool Write(const v1::TrainStreamResponse& response) override {
    EXPECT_FALSE(writing) << "two writes at a time";
    EXPECT_FALSE(finished);
    writing = !immediate;
    written.push_back(response);
    return immediate;
  }
  void Finish(const absl::Status& status) override {
    EXPECT_FALSE(writing) << "finished during a write";
    EXPECT_FALSE(finished);
    finished = status;
  }

  bool immediate = false;
  bool reading = false;
  bool writing = false;
  std::vector<v1::TrainStreamResponse> written;
  std::optional<absl::Status> finished;
};

class TrainSessionTest : public ::testing::Test {
 protected:
  TrainSessionTest() : host_(registry_.Add(FakeSpec("m"))), catalog_(registry_) {
    host_->SetDurableAtOnce(false);
    Open(TrainSession::Kind::kStream);
  }
  ~TrainSessionTest() override { session_->Close(); }

  void Open(TrainSession::Kind kind) {
    if (session_ != nullptr) session_->Close();
    wire_ = ScriptedWire();
    wire_.immediate = kind == TrainSession::Kind::kUnary;
    session_ = std::make_shared<TrainSession>(
        kind,
        TrainSession::Environment{&catalog_, &limits_, &clock_,
                                  [](const std::function<void()>& work) { work(); },
                                  v1::DURABILITY_DURABLE, &open_streams_},
        &wire_);
    session_->Start();
  }

  static v1::TrainStreamRequest Packet(uint64_t first_sequence, int rows = 2) {
    v1::TrainStreamRequest request;
    request.set_model("m");
    request.set_source("camera");
    request.mutable_samples()->set_first_sequence(first_sequence);
    request.mutable_samples()->set_rows(std::string(static_cast<size_t>(rows) * 6, '\1'));
    for (int i = 0; i < rows; ++i) request.mutable_samples()->add_labels(1);
    return request;
  }
  void Send(v1::TrainStreamRequest request) {
    ASSERT_TRUE(wire_.reading);
    wire_.reading = false;
    session_->OnMessage(request);
  }
  // As the unary wire does: one message, then the end.
  void SendUnary(v1::TrainStreamRequest request) {
    Send(std::move(request));
    if (wire_.finished) return;
    wire_.reading = false;
    session_->OnReadClosed();
  }
  void HalfClose() {
    ASSERT_TRUE(wire_.reading);
    wire_.reading = false;
    session_->OnReadClosed();
  }
  // As its first acknowledgement tells it.
  uint32_t WindowOfANewStream() {
    Open(TrainSession::Kind::kStream);
    v1::TrainStreamRequest open;
    open.set_model("m");
    open.set_source("camera");
    Send(open);
    return wire_.written.empty() ? 0 : wire_.written[0].window_bytes();
  }
  // Completes the write under way.
  void Written() {
    ASSERT_TRUE(wire_.writing);
    wire_.writing = false;
    session_->OnWriteDone(true);
  }
  uint64_t Durable() const { return wire_.written.back().progress().durable_through(); }

  FakeRegistry registry_;
  std::shared_ptr<FakeHost> host_;
  Catalog catalog_;
  LiveLimits limits_;
  std::atomic<uint32_t> open_streams_ = 1;
  FakeClock clock_;
  ScriptedWire wire_;
  std::shared_ptr<TrainSession> session_;
};

TEST_F(TrainSessionTest, TheFirstMessageIsAnsweredWithWhereTheSourceStands) {
  v1::TrainStreamRequest open;
  open.set_model("m");
  open.set_source("camera");
  Send(open);
  ASSERT_EQ(wire_.written.size(), 1u);
  EXPECT_EQ(wire_.written[0].progress().next_sequence(), 1u);
  EXPECT_EQ(wire_.written[0].window_bytes(), 1u << 20);
}

TEST_F(TrainSessionTest, ManyStreamsShareWhatTwoWindowsHold) {
  struct Case {
    uint32_t streams;
    uint32_t window_bytes;
  };
  for (const Case& wanted : {Case{1, 1 << 20}, Case{2, 1 << 20}, Case{4, 1 << 19}, Case{8, 1 << 18},
                             Case{64, 1 << 18}}) {
    open_streams_ = wanted.streams;
    EXPECT_EQ(WindowOfANewStream(), wanted.window_bytes) << wanted.streams;
  }
}

TEST_F(TrainSessionTest, AWindowBelowTheSmallestShareIsKept) {
  open_streams_ = 64;
  limits_.window_bytes = 1 << 16;
  EXPECT_EQ(WindowOfANewStream(), 1u << 16);
}

TEST_F(TrainSessionTest, AcknowledgementsOfManyPacketsAreOne) {
  Send(Packet(1));
  Send(Packet(3));
  Send(Packet(5));
  EXPECT_EQ(wire_.written.size(), 1u);  // the opening one, still under way
  Written();
  host_->MakeDurable();
  ASSERT_EQ(wire_.written.size(), 2u);
  EXPECT_EQ(Durable(), 6u);
  EXPECT_EQ(host_->packets().size(), 3u);
  EXPECT_EQ(host_->syncs_requested(), 3u);
}

TEST_F(TrainSessionTest, PacketsThatFollowEachOtherShareASyncUntilHalfTheWindowIsFull) {
  limits_.window_bytes = 72;
  Send(Packet(1));  // 12 bytes each; nobody knows yet whether another one follows
  EXPECT_EQ(host_->syncs_requested_now(), 1u);
  Send(Packet(3));
  EXPECT_EQ(host_->syncs_requested_now(), 1u);
  Send(Packet(5));  // half of the window
  EXPECT_EQ(host_->syncs_requested_now(), 2u);
  host_->MakeDurable();
  Send(Packet(7));  // this sender is known to go on
  EXPECT_EQ(host_->syncs_requested_now(), 2u);
  HalfClose();
  EXPECT_EQ(host_->syncs_requested_now(), 3u) << "nothing more will come";
}

TEST_F(TrainSessionTest, ASenderThatWaitsForEachAcknowledgementDoesNotWaitForCompany) {
  for (uint64_t i = 0; i < 4; ++i) {
    Send(Packet(1 + 2 * i));
    EXPECT_EQ(host_->syncs_requested_now(), i + 1);
    host_->MakeDurable();
    if (wire_.writing) Written();
  }
}

TEST_F(TrainSessionTest, TrainingAloneIsNotToldWhilePacketsAwaitTheirAcknowledgement) {
  Send(Packet(1));
  Written();
  Send(Packet(3));
  host_->Train();
  EXPECT_EQ(wire_.written.size(), 1u);
  clock_.SleepMs(100);
  host_->Notify();
  ASSERT_EQ(wire_.written.size(), 2u) << "but at intervals";
  EXPECT_EQ(wire_.written.back().progress().trained_through(), 4u);
}

TEST_F(TrainSessionTest, NothingIsWrittenWhileAWriteIsUnderWayAndNothingIsForgotten) {
  Send(Packet(1));
  host_->MakeDurable();
  Send(Packet(3));
  host_->MakeDurable();
  EXPECT_EQ(wire_.written.size(), 1u);
  Written();
  ASSERT_EQ(wire_.written.size(), 2u);
  EXPECT_EQ(Durable(), 4u);
}

TEST_F(TrainSessionTest, AHalfClosedStreamEndsWhenAllIsDurable) {
  Send(Packet(1));
  Written();
  HalfClose();
  EXPECT_FALSE(wire_.finished);
  host_->MakeDurable();
  Written();
  ASSERT_TRUE(wire_.finished);
  EXPECT_TRUE(wire_.finished->ok());
  EXPECT_EQ(Durable(), 2u);
}

TEST_F(TrainSessionTest, ABufferedStreamDoesNotWaitForTheDisk) {
  v1::TrainStreamRequest packet = Packet(1);
  packet.set_durability(v1::DURABILITY_BUFFERED);
  Send(packet);
  Written();
  HalfClose();
  Written();
  ASSERT_TRUE(wire_.finished);
  EXPECT_TRUE(wire_.finished->ok());
  EXPECT_EQ(wire_.written.back().progress().accepted_through(), 2u);
  EXPECT_EQ(Durable(), 0u);
  EXPECT_EQ(host_->syncs_requested(), 0u);
}

TEST_F(TrainSessionTest, ABadPacketEndsTheStreamAfterEverythingBeforeItIsDurable) {
  Send(Packet(1));
  Written();
  v1::TrainStreamRequest bad = Packet(3);
  bad.mutable_samples()->set_labels(1, 3);
  Send(bad);
  EXPECT_FALSE(wire_.finished);
  EXPECT_FALSE(wire_.reading);
  host_->MakeDurable();
  EXPECT_EQ(Durable(), 2u);
  Written();
  ASSERT_TRUE(wire_.finished);
  EXPECT_EQ(wire_.finished->code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(wire_.finished->message()),
              AllOf(HasSubstr("samples from sequence 3: "), HasSubstr("samples.labels[1]"),
                    HasSubstr("below 3")));
  EXPECT_EQ(host_->packets().size(), 1u);
}

TEST_F(TrainSessionTest, ASequenceGapNamesTheExpectedNumber) {
  Send(Packet(1));
  Written();
  Send(Packet(9));
  host_->MakeDurable();
  Written();
  ASSERT_TRUE(wire_.finished);
  EXPECT_EQ(wire_.finished->code(), absl::StatusCode::kOutOfRange);
  EXPECT_THAT(std::string(wire_.finished->message()),
              AllOf(HasSubstr("from sequence 9"), HasSubstr("expected sequence 3")));
}

TEST_F(TrainSessionTest, ARetryIsSkippedAndCounted) {
  Send(Packet(1, 4));
  Written();
  host_->MakeDurable();
  Written();
  Send(Packet(3, 4));
  host_->MakeDurable();
  EXPECT_EQ(Durable(), 6u);
  EXPECT_EQ(wire_.written.back().skipped(), 2u);
}

TEST_F(TrainSessionTest, NothingIsReadBeyondTheWindowUntilRowsAreAcknowledged) {
  limits_.window_bytes = 20;
  Send(Packet(1));  // 12 bytes
  EXPECT_TRUE(wire_.reading);
  Send(Packet(3));  // 24 bytes in flight
  EXPECT_FALSE(wire_.reading);
  host_->MakeDurable();
  EXPECT_TRUE(wire_.reading);
}

TEST_F(TrainSessionTest, APacketLargerThanTheWindowPassesAlone) {
  limits_.window_bytes = 1;
  Send(Packet(1));
  EXPECT_FALSE(wire_.reading);
  host_->MakeDurable();
  EXPECT_TRUE(wire_.reading);
}

TEST_F(TrainSessionTest, APacketWithoutRoomWaitsAndHoldsTheSender) {
  host_->SetRoom(false);
  Send(Packet(1));
  EXPECT_FALSE(wire_.reading);
  EXPECT_EQ(host_->packets().size(), 0u);
  host_->Notify();
  EXPECT_EQ(host_->packets().size(), 0u);
  host_->SetRoom(true);
  host_->Notify();
  EXPECT_EQ(host_->packets().size(), 1u);
  EXPECT_TRUE(wire_.reading);
}

TEST_F(TrainSessionTest, AWaitingPacketLearnsThatTheModelHasFailed) {
  host_->SetRoom(false);
  Send(Packet(1));
  Written();
  host_->SetState(hosting::ModelState::kFailed, "disk");
  host_->SetAppendError(absl::FailedPreconditionError("model \"m\" is FAILED: disk"));
  host_->Notify();
  Written();
  ASSERT_TRUE(wire_.finished);
  EXPECT_EQ(wire_.finished->code(), absl::StatusCode::kFailedPrecondition);
}

TEST_F(TrainSessionTest, TrainingProgressIsToldWhenItComesToRest) {
  Send(Packet(1));
  Written();
  host_->MakeDurable();
  Written();
  host_->Train();
  EXPECT_EQ(wire_.written.back().progress().trained_through(), 2u);
}

TEST_F(TrainSessionTest, FieldsMayBeRepeatedButNotChanged) {
  Send(Packet(1));
  v1::TrainStreamRequest other = Packet(3);
  other.set_source("radio");
  Send(other);
  host_->MakeDurable();
  Written();
  Written();
  ASSERT_TRUE(wire_.finished);
  EXPECT_THAT(std::string(wire_.finished->message()),
              AllOf(HasSubstr("source: "), HasSubstr("radio"), HasSubstr("camera")));
}

TEST_F(TrainSessionTest, EveryKindOfBadPacketIsRefusedWithItsField) {
  struct Case {
    std::function<void(v1::TrainStreamRequest&)> spoil;
    const char* message;
  };
  const std::vector<Case> cases = {
      {[](auto& r) { r.set_model(""); }, "model: "},
      {[](auto& r) { r.set_source(""); }, "source"},
      {[](auto& r) { r.set_source("Big"); }, "source"},
      {[](auto& r) { r.set_durability(static_cast<v1::Durability>(9)); }, "durability: 9"},
      {[](auto& r) { r.mutable_samples()->set_first_sequence(0); }, "samples.first_sequence: 0"},
      {[](auto& r) { r.mutable_samples()->set_first_sequence(uint64_t{1} << 63); },
       "samples.first_sequence: "},
      {[](auto& r) { r.mutable_samples()->set_rows("short"); },
       "samples.rows: 5 bytes; expected 2 rows of 6 bytes = 12"},
      {[](auto& r) { r.mutable_samples()->mutable_rows()->push_back('x'); }, "samples.rows: 13"},
      {[](auto& r) { r.mutable_samples()->clear_labels(); }, "samples.labels: "},
      {[](auto& r) { r.mutable_samples()->set_labels(0, 3); }, "samples.labels[0]: 3"},
  };
  for (const Case& bad : cases) {
    Open(TrainSession::Kind::kStream);
    v1::TrainStreamRequest packet = Packet(1);
    bad.spoil(packet);
    Send(packet);
    if (wire_.writing) Written();
    ASSERT_TRUE(wire_.finished) << bad.message;
    EXPECT_EQ(wire_.finished->code(), absl::StatusCode::kInvalidArgument);
    EXPECT_THAT(std::string(wire_.finished->message()), HasSubstr(bad.message));
    EXPECT_EQ(host_->packets().size(), 0u);
  }
}

TEST_F(TrainSessionTest, RowsAndMessagesBeyondTheLimitsAreRefused) {
  limits_.rows = 1;
  Send(Packet(1));
  Written();
  EXPECT_THAT(std::string(wire_.finished->message()), HasSubstr("limits.rows allows 1"));
  Open(TrainSession::Kind::kStream);
  limits_.message_bytes = 10;
  Send(Packet(1));
  EXPECT_THAT(std::string(wire_.finished->message()), HasSubstr("limits.message allows 10"));
}

TEST_F(TrainSessionTest, AnUnknownModelEndsTheStreamAtOnce) {
  v1::TrainStreamRequest packet = Packet(1);
  packet.set_model("n");
  Send(packet);
  ASSERT_TRUE(wire_.finished);
  EXPECT_EQ(wire_.finished->code(), absl::StatusCode::kNotFound);
}

TEST_F(TrainSessionTest, AnEmptyStreamIsAnError) {
  HalfClose();
  ASSERT_TRUE(wire_.finished);
  EXPECT_EQ(wire_.finished->code(), absl::StatusCode::kInvalidArgument);
}

TEST_F(TrainSessionTest, ACancelledStreamEndsWithoutWaitingForTheDisk) {
  Send(Packet(1));
  session_->OnCancel();
  EXPECT_FALSE(wire_.finished);  // a write is under way
  wire_.writing = false;
  session_->OnWriteDone(false);
  ASSERT_TRUE(wire_.finished);
  EXPECT_EQ(wire_.finished->code(), absl::StatusCode::kCancelled);
  session_->Close();
  EXPECT_EQ(host_->listeners(), 0u);
}

TEST_F(TrainSessionTest, ADrainAcknowledgesWhatWasKeptAndDropsWhatWaits) {
  Send(Packet(1));
  Written();
  host_->SetRoom(false);
  Send(Packet(3));
  session_->End(DrainingError());
  EXPECT_FALSE(wire_.finished);
  host_->MakeDurable();
  Written();
  ASSERT_TRUE(wire_.finished);
  EXPECT_EQ(wire_.finished->code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(Durable(), 2u);
  EXPECT_EQ(host_->packets().size(), 1u);
}

TEST_F(TrainSessionTest, AModelThatFailsWhileTheEndIsAwaitedEndsTheStream) {
  Send(Packet(1));
  Written();
  HalfClose();
  host_->SetState(hosting::ModelState::kFailed, "sync failed");
  host_->SetFailure(absl::StatusCode::kDataLoss);
  host_->Notify();
  Written();
  ASSERT_TRUE(wire_.finished);
  EXPECT_EQ(wire_.finished->code(), absl::StatusCode::kDataLoss);
  EXPECT_EQ(Durable(), 0u);
}

TEST_F(TrainSessionTest, AModelThatFailsUnderAnIdleStreamEndsIt) {
  Send(Packet(1));
  Written();
  host_->MakeDurable();
  Written();
  EXPECT_FALSE(wire_.finished);
  host_->SetState(hosting::ModelState::kFailed, "deleted");
  host_->Notify();
  Written();
  ASSERT_TRUE(wire_.finished);
  EXPECT_EQ(wire_.finished->code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(wire_.finished->message()), HasSubstr("model \"m\" is FAILED: deleted"));
}

TEST_F(TrainSessionTest, AUnaryCallAnswersWhenItsPacketIsDurable) {
  Open(TrainSession::Kind::kUnary);
  SendUnary(Packet(1));
  EXPECT_FALSE(wire_.finished);
  host_->MakeDurable();
  ASSERT_TRUE(wire_.finished);
  EXPECT_TRUE(wire_.finished->ok());
  EXPECT_EQ(Durable(), 2u);
}

TEST_F(TrainSessionTest, AUnaryCallWithoutRoomIsTurnedAway) {
  Open(TrainSession::Kind::kUnary);
  host_->SetRoom(false);
  SendUnary(Packet(1));
  ASSERT_TRUE(wire_.finished);
  EXPECT_EQ(wire_.finished->code(), absl::StatusCode::kResourceExhausted);
}

TEST_F(TrainSessionTest, AUnaryCallNeedsSamples) {
  Open(TrainSession::Kind::kUnary);
  v1::TrainStreamRequest packet = Packet(1);
  packet.clear_samples();
  SendUnary(packet);
  ASSERT_TRUE(wire_.finished);
  EXPECT_THAT(std::string(wire_.finished->message()), HasSubstr("samples: "));
}

// A wire of one thread and a host of another: every packet must be acknowledged, whatever the order
// in which their events meet.
TEST_F(TrainSessionTest, NoWakeUpIsLostBetweenThreads) {
  constexpr uint64_t kPackets = 500;
  limits_.window_bytes = 30;
  std::mutex mutex;                 // protects what the wire remembers
  std::condition_variable changed;  // not a loop that yields: on a busy machine each turn is lost
  class ThreadedWire : public TrainTransport {
   public:
    ThreadedWire(std::mutex& mutex, std::condition_variable& changed)
        : mutex_(mutex), changed_(changed) {}
    void Read() override {
      const std::lock_guard lock(mutex_);
      reading = true;
      changed_.notify_one();
    }
    bool Write(const v1::TrainStreamResponse& response) override {
      const std::lock_guard lock(mutex_);
      durable = response.progress().durable_through();
      return true;
    }
    void Finish(const absl::Status& status) override {
      const std::lock_guard lock(mutex_);
      finished = status;
      changed_.notify_one();
    }
    std::mutex& mutex_;
    std::condition_variable& changed_;
    bool reading = false;
    uint64_t durable = 0;
    std::optional<absl::Status> finished;
  } wire(mutex, changed);
  const auto session = std::make_shared<TrainSession>(
      TrainSession::Kind::kStream,
      TrainSession::Environment{&catalog_, &limits_, &clock_,
                                [](const std::function<void()>& work) { work(); }},
      &wire);
  std::atomic<bool> stop{false};
  std::thread disk([&] {
    bool room = false;
    while (!stop) {
      host_->SetRoom(room = !room);
      host_->MakeDurable();
      std::this_thread::yield();
    }
  });
  session->Start();
  uint64_t sent = 0;
  for (;;) {
    {
      std::unique_lock lock(mutex);
      changed.wait(lock, [&] { return wire.reading || wire.finished.has_value(); });
      if (wire.finished.has_value()) break;
      wire.reading = false;
    }
    if (sent < kPackets) {
      v1::TrainStreamRequest packet = Packet(1 + 2 * sent++);
      session->OnMessage(packet);
    } else {
      session->OnReadClosed();
    }
  }
  stop = true;
  disk.join();
  session->Close();
  EXPECT_TRUE(wire.finished->ok()) << *wire.finished;
  EXPECT_EQ(wire.durable, 2 * kPackets);
}

}  // namespace
}  // namespace tally::rpc
