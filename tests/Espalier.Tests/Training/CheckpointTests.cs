using System.Text.Json.Nodes;
using Espalier.Configuration;
using Espalier.Data;
using Espalier.Growth;
using Espalier.Models;
using Espalier.Optimization;
using Espalier.Tests.Data;
using Espalier.Tests.Growth;
using Espalier.Torch;
using Espalier.Training;
using FsCheck;
using FsCheck.Fluent;

namespace Espalier.Tests.Training;

/// <summary>Training states on disk, of this format and of the first.</summary>
public sealed class CheckpointTests : IDisposable
{
    private static readonly AdamW Optimizer = new(new AdamWConfig());

    private readonly TemporaryFolder _folder = new(inMemory: true);

    public void Dispose() => _folder.Dispose();

    /// <summary>Models that have just been widened or deepened, so that some of their elements are new.</summary>
    [Fact]
    public void WhatIsWrittenReadsBackEqual() => Check.One(
        Config.QuickThrowOnFailure.WithMaxTest(25),
        Prop.ForAll((from model in GrowthSample.All from widens in Gen.Elements(true, false) select (model, widens)).ToArbitrary(), at =>
        {
            GrowthOperator growth = at.widens ? new DoubleWidth() : new CopyLayers(at.model.Layers + 1, LayerMapKind.Stack);
            using TrainingState state = growth.Apply(GrowthSample.State(at.model), GrowthSample.NoContext);
            state.Position = GrowthSample.Position with
            {
                Growths = [.. GrowthSample.Position.Growths, new GrowthRecord(40, growth.ToString(), new Rewarm(3, 0.5, 1.3, RewarmScope.New))],
            };
            string folder = _folder.File("checkpoint");
            ForwardPlan plan = ForwardPlan.Plain(state.Model.Config.Layers);
            Checkpoint.Write(folder, state, plan, ByteLevelBpe.RawBytes);
            using TrainingState read = Checkpoint.Read(folder, Optimizer, NoPlan, Device.Cpu);

            // config.json of a BERT always names the feed-forward width.
            Assert.True(state.Model.Config.IsSameAs(read.Model.Config), $"{state.Model.Config} and {read.Model.Config}");
            Assert.Equal(state.Position.Growths, read.Position.Growths);
            Assert.Equal(state.Position.Losses.Points.ToArray(), read.Position.Losses.Points.ToArray());
            Assert.Equal(
                state.Position with { Growths = [], Losses = state.Position.Losses with { Points = [] } },
                read.Position with { Growths = [], Losses = read.Position.Losses with { Points = [] } });
            Assert.Equal(plan.StoredLayers, Checkpoint.FullDepthPlan(folder, state.Model.Config).StoredLayers);
            foreach ((Parameter expected, Parameter actual) in state.Model.Parameters.Zip(read.Model.Parameters))
            {
                Near.Identical(expected.Value, actual.Value, expected.Name);
                Assert.True(actual.Value.RequiresGrad);
                (ParameterState own, ParameterState its) = (state.Optimizer[expected.Name], read.Optimizer[actual.Name]);
                Assert.Equal(own.Steps, its.Steps);
                Assert.Equal(own.New is null, its.New is null);
                if (own.New is not null)
                {
                    Assert.Equal(own.New.Places is null, its.New!.Places is null);
                    Near.Identical(own.NewElements(expected), its.NewElements(actual), expected.Name);
                }

                foreach ((string slot, Slot value) in own.Slots)
                {
                    Near.Identical(value.Value, its.Slots[slot].Value, slot);
                    Assert.Equal(value.Follows, its.Slots[slot].Follows);
                }
            }
        }));

    /// <summary>One count for all parameters, and of the growths only how many: the recipe says which they were.</summary>
    [Fact]
    public void ACheckpointOfTheFirstFormatIsReadAndGoneOnFrom()
    {
        string run = Stopped(), checkpoint = TinyRun.Checkpoint(run, 8);
        WriteFirstFormat(checkpoint, growths: 1);
        var plan = new RunPlan(TinyRun.Recipe, TinyRun.Recipe.Model with { VocabularySize = 257 });
        using (TrainingState state = Checkpoint.Read(checkpoint, Optimizer, plan.Forecast, Device.Cpu))
        {
            Assert.All(state.Optimizer, own => Assert.Equal((11L, null), (own.Value.Steps, own.Value.New)));
            Assert.Equal([new GrowthRecord(TinyRun.FirstGrowth, "copy-layers 2 interpolate, moments keep")], state.Position.Growths);
            Assert.Equal((8L, 8L * 96, 8.0), (state.Position.Step, state.Position.Tokens, state.Position.ScheduleStep));
            Assert.Equal(new FlopsCount(1, 2, 3), state.Position.Flops);
            Assert.Equal(4.5, state.Position.Seconds);
        }

        Assert.Equal([0, 0, 1, 1], Checkpoint.FullDepthPlan(checkpoint, GrowthSample.Gpt2(2)).StoredLayers);
        Assert.True(TinyRun.Go(run, TinyRun.Recipe));
        JsonObject end = TinyRun.State(TinyRun.Checkpoint(run, TinyRun.Steps));
        Assert.Equal((2, 2), ((int)end["format"]!, end["growths"]!.AsArray().Count));
        Assert.Equal(11 + 16, (int)end["parameters"]!["transformer.h.1.ln_1.bias"]!["steps"]!);
        Assert.Equal(24 - TinyRun.SecondGrowth, (int)end["parameters"]!["transformer.h.3.ln_1.bias"]!["steps"]!);
    }

    /// <summary>It knew no losses: the curve begins there, with points as far apart as the run's are.</summary>
    [Fact]
    public void TheLossCurveOfAFirstFormatBeginsThere()
    {
        Recipe recipe = TinyRun.Recipe with { Training = TinyRun.Recipe.Training with { Length = Duration.Steps(3000) } };
        string run = _folder.File("run");
        Assert.False(TinyRun.Go(run, recipe, stopAfter: 8));
        WriteFirstFormat(TinyRun.Checkpoint(run, 8), growths: 1);
        Assert.False(TinyRun.Go(run, recipe, stopAfter: 12));
        JsonNode losses = TinyRun.State(TinyRun.Checkpoint(run, 12))["losses"]!;
        Assert.Equal((3, 1), ((int)losses["interval"]!, (int)losses["pending_steps"]!));
        Assert.Equal(11, (int)Assert.Single(losses["points"]!.AsArray())!["step"]!);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(2)]
    public void AFirstFormatOfOtherGrowthsThanTheRecipesIsRefused(int growths)
    {
        string run = Stopped(), checkpoint = TinyRun.Checkpoint(run, 8);
        WriteFirstFormat(checkpoint, growths);
        Assert.Equal(
            $"{Path.Combine(checkpoint, "training_state.json")} tells of {growths} growths where the recipe plans 1 before step 8.",
            Assert.Throws<UserErrorException>(() => TinyRun.Go(run, TinyRun.Recipe)).Message);
    }

    [Theory]
    [InlineData(1, "growths_done")]
    [InlineData(1, "optimizer_steps")]
    [InlineData(2, "schedule_step")]
    [InlineData(2, "growths")]
    [InlineData(2, "losses")]
    [InlineData(2, "parameters")]
    public void AStateThatLacksAPartOfItsFormatIsRefused(int format, string key)
    {
        string run = Stopped(), checkpoint = TinyRun.Checkpoint(run, 8), path = Path.Combine(checkpoint, "training_state.json");
        if (format == 1)
        {
            WriteFirstFormat(checkpoint, growths: 1);
        }

        JsonObject state = TinyRun.State(checkpoint);
        Assert.True(state.Remove(key));
        TinyRun.Rewrite(checkpoint, state);
        Assert.Equal(
            $"{path} is not a training state of Espalier.",
            Assert.Throws<UserErrorException>(() => TinyRun.Go(run, TinyRun.Recipe)).Message);
    }

    private static IReadOnlyList<GrowthRecord> NoPlan(long before) => throw new InvalidOperationException("the growths are in the file");

    private string Stopped()
    {
        string run = _folder.File("run");
        Assert.False(TinyRun.Go(run, TinyRun.Recipe, stopAfter: 8));
        return run;
    }

    /// <summary>There were no checksums then.</summary>
    private static void WriteFirstFormat(string checkpoint, int growths)
    {
        File.Delete(Path.Combine(checkpoint, Checksums.Name));
        WriteFirstState(checkpoint, growths);
    }

    private static void WriteFirstState(string checkpoint, int growths) => File.WriteAllText(
        Path.Combine(checkpoint, "training_state.json"),
        $$"""
        {
          "format": 1,
          "step": 8,
          "tokens": 768,
          "growths_done": {{growths}},
          "optimizer_steps": 11,
          "flops_layers": 1,
          "flops_attention": 2,
          "flops_head": 3,
          "seconds": 4.5,
          "full_depth_layers": [0, 0, 1, 1]
        }
        """);
}
