#!/usr/bin/python3
"""A Tally daemon from Python: create a model, teach it, ask it. Integers only.

  cmake --build build/dev --target tally_python_stubs
  PYTHONPATH=build/dev/python /usr/bin/python3 client/python/example.py --server unix:/run/tally/tallyd.sock

Run again, it goes on where the daemon stands: the samples have sequence numbers.
"""

import argparse
import random
import struct

import grpc

from inference import grpc_predict_v2_pb2 as inference
from inference import grpc_predict_v2_pb2_grpc as inference_grpc
from tally.v1 import models_pb2, models_pb2_grpc, training_pb2, training_pb2_grpc

SAMPLES = 4000
PACKET = 50
TIMEOUT_S = 30  # every call has a deadline


def sample(index):
    """Row and label of sample `index`: which quarter of the 16 elements is the brightest."""
    generator = random.Random(index)
    label = generator.randrange(4)
    row = bytes(generator.randrange(100) + (100 if element // 4 == label else 0) for element in range(16))
    return row, label


def spec():
    return models_pb2.ModelSpec(
        algorithm="pocketnn",
        input=models_pb2.InputSpec(shape=[16], type="uint8"),
        preprocessing=models_pb2.PreprocessingSpec(kind="calibrated", calibration_samples=200),
        layers=[models_pb2.LayerSpec(units=12), models_pb2.LayerSpec(units=4)],
        classes=4,
        labels=["first", "second", "third", "fourth"],
        batch_size=20,
        learning_rate=[models_pb2.RatePoint(from_step=0, inverse=1000)],
        schedule_steps=SAMPLES // 20,
    )


def packets(model, source, first):
    """The samples from sequence `first` on; sequences start at 1."""
    for begin in range(first, SAMPLES + 1, PACKET):
        rows, labels = zip(*(sample(i) for i in range(begin, min(begin + PACKET, SAMPLES + 1))))
        yield training_pb2.TrainStreamRequest(
            model=model,
            source=source,
            durability=training_pb2.DURABILITY_DURABLE,
            samples=training_pb2.Samples(first_sequence=begin, rows=b"".join(rows), labels=labels),
        )


def create(models, name):
    try:
        models.Create(models_pb2.CreateRequest(name=name, spec=spec()), timeout=TIMEOUT_S)
    except grpc.RpcError as error:
        if error.code() != grpc.StatusCode.ALREADY_EXISTS:
            raise


def train(training, model, source):
    where = training.GetSource(
        training_pb2.GetSourceRequest(model=model, source=source), timeout=TIMEOUT_S)
    first = where.progress.next_sequence
    print(f"source {source}: the daemon has {first - 1} of {SAMPLES} samples")
    if first <= SAMPLES:
        for answer in training.TrainStream(packets(model, source, first), timeout=TIMEOUT_S):
            durable, permille = answer.progress.durable_through, answer.prequential.recent_permille
            print(f"durable through {durable}, recent accuracy {permille} permille")
    return training.Flush(training_pb2.FlushRequest(model=model), timeout=TIMEOUT_S)


def infer(inference_service, model, rows):
    """The class of each row."""
    request = inference.ModelInferRequest(model_name=model, raw_input_contents=[b"".join(rows)])
    request.inputs.add(name="input", datatype="UINT8", shape=[len(rows), 16])
    request.outputs.add(name="scores")
    answer = inference_service.ModelInfer(request, timeout=TIMEOUT_S)
    count, classes = answer.outputs[0].shape
    scores = struct.unpack(f"<{count * classes}i", answer.raw_output_contents[0])
    table = [scores[i * classes:(i + 1) * classes] for i in range(count)]
    return [row.index(max(row)) for row in table]


def main():
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--server", default="unix:/run/tally/tallyd.sock")
    arguments.add_argument("--model", default="quarters")
    arguments.add_argument("--source", default="python-example")
    options = arguments.parse_args()

    with grpc.insecure_channel(options.server) as channel:
        create(models_pb2_grpc.ModelsStub(channel), options.model)
        flush = train(training_pb2_grpc.TrainingStub(channel), options.model, options.source)
        unseen = [sample(i) for i in range(10 * SAMPLES, 10 * SAMPLES + 500)]
        classes = infer(inference_grpc.GRPCInferenceServiceStub(channel), options.model,
                        [row for row, _ in unseen])
    correct = sum(found == label for found, (_, label) in zip(classes, unseen))
    print(f"{correct} of {len(unseen)} unseen samples right, step {flush.step}, digest {flush.state_digest}")


if __name__ == "__main__":
    main()
