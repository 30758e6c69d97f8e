using System.Text.RegularExpressions;
using Espalier.Configuration;
using Espalier.Growth;
using Espalier.Models;
using Espalier.Optimization;
using Espalier.Tests.Data;
using Espalier.Tests.Growth;
using Espalier.Torch;
using Espalier.Training;

namespace Espalier.Tests.Training;

/// <summary>A loss or gradient that is no number stops a run before it can do harm.</summary>
public sealed class DivergenceTests : IDisposable
{
    private static readonly AdamW Optimizer = new(new AdamWConfig());

    private readonly TemporaryFolder _folder = new(inMemory: true);

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void ALossThatIsNoNumberChangesNothing()
    {
        using TrainingState state = TrainingState.Begin(GrowthSample.Gpt2(2), 4, Optimizer, 1, Device.Cpu);
        OneStep(state, _ => ForwardPlan.Plain(2));
        state.Model.Parameters[1, "mlp.c_fc.bias"].Detach().Fill(double.NaN);

        // The first micro-batch does not touch the poisoned layer: its gradients are sound, and must not be used either.
        DivergenceException exception = Diverges(state, microBatch => ForwardPlan.Of(microBatch == 0 ? [0] : [0, 1]));
        Assert.Equal("step 1: the loss of micro-batch 1 is NaN", exception.Message);
        Assert.Equal(1, exception.Step);
    }

    [Fact]
    public void AGradientThatIsNoNumberChangesNothing()
    {
        using TrainingState state = TrainingState.Begin(GrowthSample.Gpt2(2), 4, Optimizer, 1, Device.Cpu);
        OneStep(state, _ => ForwardPlan.Plain(2));

        // Logits of 0 and a sound loss, from hidden values whose sums are beyond single precision.
        state.Model.Parameters["transformer.ln_f.weight"].Detach().Fill(0.8e38);
        state.Model.Parameters["transformer.wte.weight"].Detach().Fill(0);
        Assert.Matches("^step 1: the gradient norm is (NaN|.*∞|.*Infinity)$", Diverges(state, _ => ForwardPlan.Plain(2)).Message);
    }

    [Fact]
    public void ADivergingRunNamesTheStepAndItsLastCheckpoint()
    {
        // Decay by lr * decay = 1000 makes matrices a thousand times as large with every step, and of the other sign.
        Recipe recipe = TinyRun.Recipe with
        {
            LearningRate = new LearningRateConfig { Peak = 100, Schedule = LearningRateSchedule.Constant, Warmup = Duration.Steps(2) },
            Optimizer = new AdamWConfig { WeightDecay = 10 },
            Checkpoint = new CheckpointConfig { Every = Duration.Steps(1), Keep = 100 },
        };
        string run = _folder.File("run");
        var exception = Assert.Throws<UserErrorException>(() => TinyRun.Go(run, recipe));
        Match match = Regex.Match(
            exception.Message, @"^The run diverged at step (\d+): the (loss of micro-batch \d|gradient norm) is .*[.] The update was not made[.]$");
        Assert.True(match.Success, exception.Message);
        long step = long.Parse(match.Groups[1].Value, System.Globalization.CultureInfo.InvariantCulture);
        Assert.InRange(step, 1, TinyRun.Steps - 1);
        Assert.Contains(TinyRun.Checkpoint(run, step), exception.Hint, StringComparison.Ordinal);
        Assert.False(Directory.Exists(TinyRun.Checkpoint(run, step + 1)));

        // It says the same again, and the checkpoints stay as they are.
        Dictionary<string, string> before = TinyRun.Files(Path.Combine(run, "checkpoints"));
        Assert.Equal(exception.Message, Assert.Throws<UserErrorException>(() => TinyRun.Go(run, recipe)).Message);
        Assert.Equal(before, TinyRun.Files(Path.Combine(run, "checkpoints")));
    }

    [Fact]
    public void APoisonedCheckpointIsNotTrainedOn()
    {
        string run = _folder.File("run"), weights = Path.Combine(TinyRun.Checkpoint(run, 8), "model.safetensors");
        Assert.False(TinyRun.Go(run, TinyRun.Recipe, stopAfter: 8));
        byte[] bytes = File.ReadAllBytes(weights);
        BitConverter.GetBytes(float.NaN).CopyTo(bytes, bytes.Length - sizeof(float));
        File.WriteAllBytes(weights, bytes);
        Checksums.Write(Path.GetDirectoryName(weights)!);
        var exception = Assert.Throws<UserErrorException>(() => TinyRun.Go(run, TinyRun.Recipe));
        Assert.Contains("diverged at step 8: the loss of micro-batch 0 is NaN", exception.Message, StringComparison.Ordinal);
        Assert.Equal("step-00000008\n", File.ReadAllText(Path.Combine(run, "checkpoints", "latest")));
        Assert.Equal(bytes, File.ReadAllBytes(weights));
    }

    private static void OneStep(TrainingState state, Func<int, ForwardPlan> plan)
    {
        new TrainingStep(Optimizer, clipNorm: 1, Compute.Cpu).Run(
            state,
            2,
            plan,
            (microBatch, _) => new ModelBatch(Sample.Indices(microBatch, 31, 2, 12), Sample.Indices(9 + microBatch, 31, 2, 12)),
            _ => 0,
            1e-3);
    }

    private static DivergenceException Diverges(TrainingState state, Func<int, ForwardPlan> plan)
    {
        Tensor[] tensors =
        [
            .. state.Model.Parameters.Select(parameter => parameter.Value),
            .. state.Optimizer.SelectMany(own => own.Value.Slots.Values.Select(slot => slot.Value)),
        ];
        byte[][] before = [.. tensors.Select(Near.Bytes)];
        TrainingPosition position = state.Position;
        long[] steps = [.. state.Optimizer.Select(own => own.Value.Steps)];
        var exception = Assert.Throws<DivergenceException>(() => OneStep(state, plan));
        Assert.Equal(before, tensors.Select(Near.Bytes));
        Assert.Same(position, state.Position);
        Assert.Equal(steps, state.Optimizer.Select(own => own.Value.Steps));
        Assert.All(state.Model.Parameters, parameter => Assert.Null(parameter.Value.Grad));
        return exception;
    }
}
