using Espalier.Data;
using Espalier.Finetuning;
using Espalier.Models;
using Espalier.Tests.Training;
using Espalier.Torch;

namespace Espalier.Tests.Finetuning;

[Collection(LibtorchGenerator.Name)]
[Trait("Kind", "Slow")]
public sealed class FinetunerTests : IDisposable
{
    private readonly TinyTask _task = new();

    public void Dispose() => _task.Dispose();

    [Fact]
    public void BertLearnsASeparableTask() => Learns(TinyTask.Bert, _task.WordPiece);

    [Fact]
    public void GptLearnsASeparableTask() => Learns(TinyTask.Gpt2, ByteLevelBpe.RawBytes, "training.max_length=60");

    [Fact]
    public void ARegressionFindsItsScores()
    {
        _task.Folder.Write("train.tsv", Scores("train.tsv"));
        _task.Folder.Write("dev.tsv", Scores("dev.tsv"));
        IReadOnlyList<EpochResult> epochs = Run(
            TinyTask.Bert, _task.WordPiece, 1, "labels=[]", "range=[0, 5]", "metrics=[pearson, spearman]");
        Assert.True(epochs[^1].TrainLoss < 0.5 * epochs[0].TrainLoss);
        Assert.True(epochs[^1].Metrics[0] > 0.95, $"{epochs[^1].Metrics[0]}");

        string Scores(string name) => File.ReadAllText(_task.Folder.File(name))
            .Replace("\tgood", "\t4.5", StringComparison.Ordinal).Replace("\tbad", "\t1.0", StringComparison.Ordinal);
    }

    [Fact]
    public void ASeedDecidesEverything()
    {
        string first = Describe(Run(TinyTask.Bert, _task.WordPiece, 1, "training.epochs=1"));
        Assert.Equal(first, Describe(Run(TinyTask.Bert, _task.WordPiece, 1, "training.epochs=1")));
        Assert.NotEqual(first, Describe(Run(TinyTask.Bert, _task.WordPiece, 2, "training.epochs=1")));

        static string Describe(IReadOnlyList<EpochResult> epochs) =>
            string.Join(';', epochs.Select(e => $"{e.TrainLoss:R} {string.Join(' ', e.Metrics.Select(m => $"{m:R}"))}"));
    }

    /// <summary>A score is a function of its text alone: neither of what pads it nor of its neighbours in the batch.</summary>
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void PaddingChangesNothing(bool gpt)
    {
        ModelConfig config = gpt ? TinyTask.Gpt2 : TinyTask.Bert;
        using ParameterSet pretrained = TinyTask.Pretrained(config);
        using SequenceModel model = SequenceModel.On(
            config, pretrained, new Dictionary<string, Tensor>(), ForwardPlan.Plain(2), 3, 1, Compute.Cpu);
        EncodedExample[] examples =
        [
            new([5, 7, 8], [0, 0, 1], 0), new([6, 7, 8, 9, 10, 11, 12], [0, 0, 0, 1, 1, 1, 1], 0), new([3], [0], 0),
        ];
        var batches = new ExampleBatches(examples, 3, padding: 9);
        using var noGrad = new NoGrad();
        double[] together = Near.Values(model.Scores(batches.Input([0, 1, 2], Device.Cpu), training: false));
        for (int i = 0; i < examples.Length; i++)
        {
            Near.Equal(
                Near.Values(model.Scores(batches.Input([i], Device.Cpu), training: false)), together[(3 * i)..((3 * i) + 3)],
                1e-5, $"example {i}");
        }
    }

    [Fact]
    public void AnEpochHoldsEveryExampleOnce()
    {
        EncodedExample[] examples =
            [.. Enumerable.Range(0, 1001).Select(i => new EncodedExample(new int[1 + (i * 7 % 50)], new int[1 + (i * 7 % 50)], 0))];
        var batches = new ExampleBatches(examples, 8, 0);
        int[][] epoch = batches.Epoch(1, 0);
        Assert.Equal(batches.Count, epoch.Length);
        Assert.Equal(Enumerable.Range(0, 1001), epoch.SelectMany(batch => batch).Order());
        Assert.NotEqual(epoch.SelectMany(batch => batch), batches.Epoch(1, 1).SelectMany(batch => batch));
        Assert.NotEqual(epoch.SelectMany(batch => batch), batches.Epoch(2, 0).SelectMany(batch => batch));

        // Little of it is padding: without sorting it would be half.
        double padded = epoch.Sum(batch => (double)batch.Length * batch.Max(i => examples[i].Ids.Length));
        Assert.True(padded < 1.15 * examples.Sum(example => example.Ids.Length));
    }

    /// <summary>Layers that share weights train as the layers of the unrolled model compute.</summary>
    [Fact]
    public void TheUnrolledModelGivesTheSameScores()
    {
        using ParameterSet pretrained = TinyTask.Pretrained(TinyTask.Bert);
        using SequenceModel model = SequenceModel.On(
            TinyTask.Bert, pretrained, new Dictionary<string, Tensor>(), ForwardPlan.Of([0, 0, 1, 1]), 2, 1, Compute.Cpu);
        (ModelConfig config, ParameterSet parameters) = model.AtFullDepth();
        Assert.Equal(4, config.Layers);
        var unrolled = new SequenceModel(Model.Of(config, parameters), ForwardPlan.Plain(4), 2, Compute.Cpu);
        var input = new ModelInput(Tensor.From<long>([2, 5, 7, 3, 2, 6, 8, 3], [2, 4]));
        using var noGrad = new NoGrad();
        Near.Identical(model.Scores(input, training: false), unrolled.Scores(input, training: false));
    }

    [Fact]
    public void NothingIsLeftBehind()
    {
        _ = Run(TinyTask.Bert, _task.WordPiece, 1, "training.epochs=1");
        long before = Tensor.LiveCount;
        _ = Run(TinyTask.Bert, _task.WordPiece, 1, "training.epochs=1");
        Assert.InRange(Tensor.LiveCount, 0, before + 200);
    }

    private void Learns(ModelConfig model, Tokenizer tokenizer, params string[] overrides)
    {
        IReadOnlyList<EpochResult> epochs = Run(model, tokenizer, 1, overrides);
        Assert.True(epochs[^1].TrainLoss < 0.3 * epochs[0].TrainLoss, $"{epochs[0].TrainLoss} -> {epochs[^1].TrainLoss}");
        Assert.True(epochs[^1].Metrics[0] > 0.95, $"accuracy {epochs[^1].Metrics[0]}");
        Assert.True(epochs[^1].Metrics[1] > 0.9, $"Matthews {epochs[^1].Metrics[1]}");
    }

    private IReadOnlyList<EpochResult> Run(ModelConfig config, Tokenizer tokenizer, ulong seed, params string[] overrides)
    {
        TaskConfig task = _task.Read(overrides);
        TaskData data = _task.Data(task, config, tokenizer);
        using ParameterSet pretrained = TinyTask.Pretrained(config);
        using SequenceModel model = SequenceModel.On(
            config, pretrained, new Dictionary<string, Tensor>(), ForwardPlan.Plain(config.Layers), task.Outputs, seed, Compute.Cpu);
        return new Finetuner(task, data, Device.Cpu).Run(model, seed);
    }
}
