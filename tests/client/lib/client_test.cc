// Goal: deadlines, retries, error details, file transfer and inference of the Client.
// Method: calls against an in-process server with scripted answers.

#include "tally/client.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <sstream>

#include "tally/error_details.h"
#include "tests/client/lib/fake_server.h"

namespace tally {
namespace {

using std::chrono::milliseconds;
using ::testing::ElementsAre;
using testing::FakeServer;
using ::testing::HasSubstr;
using testing::WithField;
using testing::WithRetryInfo;

const grpc::Status kLost(grpc::StatusCode::UNAVAILABLE, "connection reset");

class ClientTest : public ::testing::Test {
 protected:
  ClientTest() {
    options_.backoff_first = milliseconds(1);
    options_.backoff_max = milliseconds(4);
    client_ = *Client::Connect(server_.address(), options_);
  }

  FakeServer server_;
  ClientOptions options_;
  std::unique_ptr<Client> client_;
};

TEST(ClientAddressTest, AcceptsUnixPathsAndHostPortPairsOnly) {
  for (const char* good :
       {"unix:/run/x.sock", "unix:x", "localhost:80", "[::1]:9000", "10.0.0.1:1"}) {
    EXPECT_TRUE(Client::Connect(good).ok()) << good;
  }
  for (const char* bad : {"", "unix:", "localhost", "localhost:", ":80", "h:0", "h:65536", "h:x",
                          "http://h:80", "/run/x.sock"}) {
    EXPECT_EQ(Client::Connect(bad).status().code(), absl::StatusCode::kInvalidArgument) << bad;
  }
}

TEST_F(ClientTest, EveryCallCarriesADeadline) {
  ASSERT_TRUE(client_->Get("m").ok());
  ASSERT_TRUE(client_->CreateFromZoo("m", "z").ok());
  EXPECT_TRUE(server_.models.saw_deadline);
  ASSERT_TRUE(client_->GetSource("m", "s").ok());
  EXPECT_TRUE(server_.training.saw_deadline());
}

TEST_F(ClientTest, UnavailableIsTriedAgainUntilItWorks) {
  server_.models.errors = {kLost, kLost, kLost};
  EXPECT_TRUE(client_->Get("m").ok());
  EXPECT_EQ(server_.models.calls, 4u);
}

TEST_F(ClientTest, ACallThatMustNotHappenTwiceIsRepeatedOnlyWhenTheServerRefusedIt) {
  server_.models.errors = {kLost};
  EXPECT_EQ(client_->CreateFromZoo("m", "z").status().code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(server_.models.calls, 1u);
  server_.models.errors = {WithRetryInfo(grpc::StatusCode::UNAVAILABLE, "replaying", 5)};
  EXPECT_TRUE(client_->CreateFromZoo("m", "z").ok());
  EXPECT_EQ(server_.models.calls, 3u);
}

TEST_F(ClientTest, OnlyUnavailableAndPromisedResourcesAreTriedAgain) {
  const std::vector<grpc::Status> finals = {
      {grpc::StatusCode::RESOURCE_EXHAUSTED, "no delay given"},
      {grpc::StatusCode::INTERNAL, "x"},
      {grpc::StatusCode::ABORTED, "x"},
      {grpc::StatusCode::DEADLINE_EXCEEDED, "x"},
      {grpc::StatusCode::NOT_FOUND, "x"},
      {grpc::StatusCode::FAILED_PRECONDITION, "x"},
      {grpc::StatusCode::DATA_LOSS, "x"}};
  for (const grpc::Status& error : finals) {
    server_.models.calls = 0;
    server_.models.errors = {error};
    const absl::Status status = client_->Get("m").status();
    EXPECT_EQ(static_cast<int>(status.code()), static_cast<int>(error.error_code()));
    EXPECT_EQ(status.message(), error.error_message());
    EXPECT_EQ(server_.models.calls, 1u);
  }
  server_.models.calls = 0;
  server_.models.errors = {WithRetryInfo(grpc::StatusCode::RESOURCE_EXHAUSTED, "full", 3)};
  EXPECT_TRUE(client_->Get("m").ok());
  EXPECT_EQ(server_.models.calls, 2u);
}

TEST_F(ClientTest, PatienceBoundsTheRetries) {
  // 8 ms or more a retry keep their number down.
  options_.patience = milliseconds(500);
  options_.backoff_max = milliseconds(10);
  const auto client = *Client::Connect(server_.address(), options_);
  // Connecting alone may take longer on a busy machine.
  while (!client->Get("m").ok()) continue;
  server_.models.calls = 0;
  server_.models.errors.assign(1000, kLost);
  EXPECT_EQ(client->Get("m").status().code(), absl::StatusCode::kUnavailable);
  EXPECT_GT(server_.models.calls, 1u);
  EXPECT_LT(server_.models.calls, 100u);
  // A server that asks for more time than there is patience is not waited for.
  server_.models.calls = 0;
  server_.models.errors = {WithRetryInfo(grpc::StatusCode::UNAVAILABLE, "later", 60'000)};
  EXPECT_EQ(client->Get("m").status().code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(server_.models.calls, 1u);
}

TEST_F(ClientTest, ErrorsCarryFieldDelayAndReason) {
  server_.models.errors = {
      WithField(grpc::StatusCode::INVALID_ARGUMENT, "17 classes", "spec.classes")};
  const absl::Status field = client_->Get("m").status();
  ASSERT_EQ(DetailsOf(field).fields.size(), 1u);
  EXPECT_EQ(DetailsOf(field).fields[0].field, "spec.classes");
  EXPECT_EQ(DetailsOf(field).fields[0].description, "17 classes");
  EXPECT_FALSE(DetailsOf(field).retry_delay.has_value());

  server_.models.errors = {WithRetryInfo(grpc::StatusCode::UNAVAILABLE, "later", 61'500)};
  const absl::Status delay = client_->Get("m").status();
  EXPECT_EQ(DetailsOf(delay).retry_delay, milliseconds(61'500));
}

TEST_F(ClientTest, DetailsThatCannotBeReadAreLeftOut) {
  server_.models.errors = {grpc::Status(grpc::StatusCode::NOT_FOUND, "x", "\xff\xff garbage")};
  const absl::Status status = client_->Get("m").status();
  EXPECT_EQ(status.code(), absl::StatusCode::kNotFound);
  EXPECT_TRUE(DetailsOf(status).fields.empty());
  EXPECT_TRUE(DetailsOf(absl::OkStatus()).reason.empty());
}

TEST_F(ClientTest, ExportAndImportMoveFilesOfAnySizeUnchanged) {
  for (const size_t size : {size_t{0}, size_t{1}, size_t{1} << 20, (size_t{5} << 19) + 3}) {
    std::string file(size, '\0');
    for (size_t i = 0; i < size; ++i) file[i] = static_cast<char>(i * 31);
    std::istringstream in(file);
    auto model = client_->Import("copy", in);
    ASSERT_TRUE(model.ok()) << model.status();
    EXPECT_EQ(model->spec().name(), "copy");
    EXPECT_EQ(server_.models.file, file);
    std::ostringstream out;
    auto info = client_->Export("copy", std::nullopt, out);
    ASSERT_TRUE(info.ok()) << info.status();
    EXPECT_EQ(out.str(), file);
    EXPECT_EQ(info->size_bytes(), size);
  }
}

TEST_F(ClientTest, ExportStopsWhenTheFileCannotBeWritten) {
  server_.models.file = std::string(4 << 20, 'x');
  std::ostringstream out;
  out.setstate(std::ios::badbit);
  EXPECT_EQ(client_->Export("m", std::nullopt, out).status().code(), absl::StatusCode::kUnknown);
}

TEST_F(ClientTest, EvaluateStreamsPacketsAndNamesTheModelOnce) {
  int packets = 0;
  auto result = client_->Evaluate("m", 0, [&](LabelledRows& packet) {
    EXPECT_TRUE(packet.rows.empty() && packet.labels.empty());
    packet.rows = "xyz";
    packet.labels = {1, 2, 3};
    return ++packets <= 4;
  });
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_EQ(result->total(), 12u);
}

TEST_F(ClientTest, InferSendsRawRowsAndReadsScoresAndLabels) {
  auto& scores = *server_.inference.answer.add_outputs();
  scores.set_name("scores");
  scores.set_datatype("INT32");
  scores.add_shape(2);
  scores.add_shape(2);
  server_.inference.answer.add_raw_output_contents(
      std::string("\x01\0\0\0\xff\xff\xff\xff\0\0\0\x80\x02\x01\0\0", 16));
  server_.inference.answer.add_outputs()->set_name("label");
  server_.inference.answer.add_raw_output_contents(std::string("\x03\0\0\0cat\x01\0\0\0a", 12));
  server_.inference.answer.set_model_version("41");

  auto result = client_->Infer({.model = "m", .datatype = "INT16", .rows = 2, .bytes = "abcdefgh"});
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_THAT(result->scores, ElementsAre(1, -1, INT32_MIN, 258));
  EXPECT_THAT(result->labels, ElementsAre("cat", "a"));
  EXPECT_EQ(result->classes, 2u);
  EXPECT_EQ(result->model_version, "41");
  EXPECT_THAT(server_.inference.last.inputs(0).shape(), ElementsAre(2, 2));
  EXPECT_THAT(server_.inference.last.raw_input_contents(), ElementsAre("abcdefgh"));
}

TEST_F(ClientTest, InferRefusesBytesThatAreNoWholeRowsAndAnswersThatDoNotFit) {
  EXPECT_EQ(client_->Infer({.model = "m", .rows = 0, .bytes = ""}).status().code(),
            absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(client_->Infer({.model = "m", .rows = 2, .bytes = "abc"}).status().code(),
            absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(client_->Infer({.model = "m", .datatype = "FP32", .rows = 1, .bytes = "abcd"})
                .status()
                .code(),
            absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(client_->Infer({.model = "m", .rows = 1, .bytes = "a"}).status().code(),
            absl::StatusCode::kInternal);
}

TEST_F(ClientTest, AMissingServerIsUnavailableAndSaysWhere) {
  options_.patience = milliseconds(5);
  const auto client = *Client::Connect("unix:/nonexistent/tally.sock", options_);
  const absl::Status status = client->List().status();
  EXPECT_EQ(status.code(), absl::StatusCode::kUnavailable);
  EXPECT_THAT(std::string(status.message()), HasSubstr("/nonexistent/tally.sock"));
}

}  // namespace
}  // namespace tally
