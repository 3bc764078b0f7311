#include "tests/daemon/e2e/bad_input.h"

#include <sstream>

#include "client/cli/remote.h"
#include "client/lib/status.h"
#include "tally/error_details.h"
#include "tally/train_session.h"
#include "tests/daemon/e2e/small_world.h"

namespace tally::e2e {

absl::Status FromStub(const grpc::Status& status) { return internal::FromGrpc(status); }

v1::TrainRequest GoodTrain() {
  const Dataset dataset = SmallData(3, 7);
  v1::TrainRequest request;
  request.set_model("small");
  request.set_source("bad");
  request.mutable_samples()->set_first_sequence(1);
  request.mutable_samples()->set_rows(RowBytes(dataset, 0, 3));
  for (const uint32_t label : dataset.labels) request.mutable_samples()->add_labels(label);
  return request;
}

void BadInputTest::SetUp() {
  daemon_.Start();
  ASSERT_TRUE(daemon_.client().Create("small", cli::SpecToMessage(SmallSpec())).ok())
      << daemon_.log();
  const Dataset dataset = SmallData(100);
  auto session = *TrainSession::Open(daemon_.client(), {.model = "small", .source = "good"});
  ASSERT_TRUE(session->Send(RowBytes(dataset, 0, 100), dataset.labels).ok());
  ASSERT_TRUE(session->Finish().ok());
  ASSERT_TRUE(daemon_.client().Digest("small").ok());
}

void BadInputTest::TryAll(const std::vector<BadInput>& cases) {
  auto channel = grpc::CreateChannel(daemon_.address(), grpc::InsecureChannelCredentials());
  const auto training = v1::Training::NewStub(channel);
  const auto models = v1::Models::NewStub(channel);
  const auto inference = inference::GRPCInferenceService::NewStub(channel);
  // Errors are looked at as they come: no patience.
  ClientOptions options;
  options.patience = std::chrono::milliseconds(0);
  const auto client = *Client::Connect(daemon_.address(), options);
  std::ostringstream checkpoint;
  ASSERT_TRUE(client->Export("small", std::nullopt, checkpoint).ok());
  World world{*client, *training, *models, *inference, checkpoint.str()};

  const std::string before = Everything();
  for (const BadInput& bad : cases) {
    SCOPED_TRACE(bad.name);
    const absl::Status status = bad.send(world);
    EXPECT_EQ(status.code(), bad.code) << status;
    EXPECT_NE(status.message().find(bad.message), std::string::npos)
        << "wanted \"" << bad.message << "\" in: " << status.message();
    const ErrorDetails details = DetailsOf(status);
    EXPECT_EQ(details.fields.empty() ? "" : details.fields[0].field, bad.field);
    EXPECT_EQ(Everything(), before);
  }
  EXPECT_NE(daemon_.pid(), 0);
}

std::string BadInputTest::Everything() const {
  const Client& client = daemon_.client();
  const auto digest = client.Digest("small");
  const auto source = client.GetSource("small", "good");
  const auto bad_source = client.GetSource("small", "bad");
  const auto models = client.List();
  if (!digest.ok() || !source.ok() || !bad_source.ok() || !models.ok()) return "unreadable";
  return digest->ShortDebugString() + source->ShortDebugString() + bad_source->ShortDebugString() +
         std::to_string(models->size());
}

}  // namespace tally::e2e
