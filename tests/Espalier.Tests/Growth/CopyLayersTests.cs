using Espalier.Growth;
using Espalier.Models;
using Espalier.Optimization;
using Espalier.Torch;
using FsCheck;
using FsCheck.Fluent;

namespace Espalier.Tests.Growth;

public class CopyLayersTests
{
    private static readonly Gen<(ModelConfig Model, CopyLayers Operator)> Growths =
        from model in GrowthSample.Models
        from more in Gen.Choose(0, 6)
        from list in Gen.Choose(0, model.Layers - 1).ListOf(model.Layers + more)
        from map in Gen.Elements(LayerMapChoice.Interpolate, LayerMapChoice.Stack, LayerMapChoice.Of(list))
        from moments in Gen.Elements(Enum.GetValues<MomentPolicy>())
        select (model, new CopyLayers(model.Layers + more, map) { Moments = moments });

    /// <summary>Bit for bit: new layers are copies through the map, and everything else is what it was.</summary>
    [Fact]
    public void GrowsLayersAndNothingElse() => Check.One(
        Config.QuickThrowOnFailure.WithMaxTest(120),
        Prop.ForAll(Growths.ToArbitrary(), growth => CheckGrowth(growth.Model, growth.Operator)));

    private static void CheckGrowth(ModelConfig model, CopyLayers growth)
    {
        int before = model.Layers;
        TrainingState state = GrowthSample.State(model);
        var weights = state.Model.Parameters.ToDictionary(p => (p.Spec.Layer, p.Spec.Role), p => Near.Bytes(p.Value));
        var remembered = state.Model.Parameters.ToDictionary(
            p => (p.Spec.Layer, p.Spec.Role), p => Remembered(state.Optimizer[p.Name]));

        using TrainingState grown = growth.Apply(state, GrowthSample.NoContext);

        int[] map = growth.Map.Build(before, growth.Count, growth.Count);
        Assert.Equal(model with { Layers = growth.Count }, grown.Model.Config);
        Assert.Same(GrowthSample.Position, grown.Position);
        Assert.Equal(
            grown.Model.Architecture.Parameters(grown.Model.Config).Select(spec => spec.Name),
            grown.Model.Parameters.Select(p => p.Name));
        Assert.Equal(
            grown.Model.Parameters.Select(p => p.Name).Order(StringComparer.Ordinal),
            grown.Optimizer.Select(pair => pair.Key).Order(StringComparer.Ordinal));
        foreach (Parameter parameter in grown.Model.Parameters)
        {
            (int? layer, string role) = (parameter.Spec.Layer, parameter.Spec.Role);
            int? source = layer is int place ? map[place] : null;
            Assert.True(parameter.Value.RequiresGrad, parameter.Name);
            Assert.True(weights[(source, role)].SequenceEqual(Near.Bytes(parameter.Value)), parameter.Name);

            ParameterState own = grown.Optimizer[parameter.Name];
            (byte[] Avg, byte[] AvgSq, long Steps) empty = (new byte[parameter.Value.ByteLength], new byte[parameter.Value.ByteLength], 0);
            (byte[] avg, byte[] avgSq, long steps) = growth.Moments switch
            {
                // By a list, an old layer takes its state along; by a rule it stays where it was.
                MomentPolicy.Keep when growth.Map.Custom is not null =>
                    layer is int to && map.Take(to).Contains(map[to]) ? empty : remembered[(source, role)],
                MomentPolicy.Keep => layer >= before ? empty : remembered[(layer, role)],
                MomentPolicy.Map => remembered[(source, role)],
                _ => empty,
            };
            (byte[] Avg, byte[] AvgSq, long Steps) actual = Remembered(own);
            Assert.True(avg.SequenceEqual(actual.Avg), parameter.Name);
            Assert.True(avgSq.SequenceEqual(actual.AvgSq), parameter.Name);
            Assert.Equal(steps, actual.Steps);
            Assert.Equal((Follows.Gradient, Follows.Square), (own.Slots[AdamW.ExpAvg].Follows, own.Slots[AdamW.ExpAvgSq].Follows));

            // Of the layers that are made from one, the first is the old one.
            bool isCopy = layer is int at && map.Take(at).Contains(map[at]);
            Assert.Equal(isCopy ? NewUnits.All : null, own.New);
        }
    }

    /// <summary>The "lessons" of Apollo: the grown model is the one that sharing has practised.</summary>
    [Fact]
    public void AGrownModelComputesWhatItsLayersComputedThroughTheMap() => Check.One(
        Config.QuickThrowOnFailure.WithMaxTest(40),
        Prop.ForAll(Growths.ToArbitrary(), growth =>
        {
            TrainingState state = GrowthSample.State(growth.Model);
            ModelInput input = GrowthSample.Batch(growth.Model).Input;
            int[] map = growth.Operator.Map.Build(growth.Model.Layers, growth.Operator.Count, growth.Operator.Count);
            Tensor shared = ForwardPass.Logits(state.Model, input, ForwardPlan.Of(map));
            using TrainingState grown = growth.Operator.Apply(state, GrowthSample.NoContext);
            Near.Identical(shared, ForwardPass.Logits(grown.Model, input, ForwardPlan.Plain(map.Length)));
        }));

    [Fact]
    public void CopiesOfALayerAreTrainedApart()
    {
        using TrainingState grown = new CopyLayers(4, LayerMapKind.Interpolate)
            .Apply(GrowthSample.State(GrowthSample.Gpt2(2)), GrowthSample.NoContext);
        grown.Model.Parameters[0, "ln_1.weight"].Fill(5);
        grown.Optimizer["transformer.h.0.ln_1.weight"].Slots[AdamW.ExpAvg].Value.Fill(6);
        Assert.DoesNotContain(5, Near.Values(grown.Model.Parameters[1, "ln_1.weight"]));
        Assert.DoesNotContain(6, Near.Values(grown.Optimizer["transformer.h.1.ln_1.weight"].Slots[AdamW.ExpAvg].Value));
    }

    [Fact]
    public void RefusesToShrinkAndLeavesTheStateWhole()
    {
        using TrainingState state = GrowthSample.State(GrowthSample.Gpt2(3));
        Assert.Throws<ArgumentOutOfRangeException>(
            () => new CopyLayers(2, LayerMapKind.Interpolate).Apply(state, GrowthSample.NoContext));
        Assert.All(state.Model.Parameters, parameter => Assert.NotEmpty(Near.Bytes(parameter.Value)));
    }

    [Theory]
    [InlineData(0, 1, 3)]
    [InlineData(0, -1, 2)]
    public void AListNamesLayersThatThereAre(params int[] list)
    {
        using TrainingState state = GrowthSample.State(GrowthSample.Gpt2(3));
        Assert.Throws<ArgumentOutOfRangeException>(() => new CopyLayers(list).Apply(state, GrowthSample.NoContext));
        Assert.Throws<ArgumentOutOfRangeException>(
            () => new CopyLayers(4, LayerMapChoice.Of([0, 1, 2])).Apply(state, GrowthSample.NoContext));
        Assert.All(state.Model.Parameters, parameter => Assert.NotEmpty(Near.Bytes(parameter.Value)));
    }

    [Fact]
    public void AListIsRecordedWhole()
    {
        CopyLayers growth = new([0, 1, 0, 1, 2]);
        Assert.Equal("copy-layers 5 [0, 1, 0, 1, 2], moments map", growth.ToString());
        Assert.Equal(new CopyLayers([0, 1, 0, 1, 2]), growth);
        Assert.NotEqual(new CopyLayers([0, 1, 1, 1, 2]), growth);
    }

    /// <summary>As checkpoints record it: growths that differ are told apart by it.</summary>
    [Theory]
    [InlineData(6, LayerMapKind.Interpolate, MomentPolicy.Keep, "copy-layers 6 interpolate, moments keep")]
    [InlineData(12, LayerMapKind.Stack, MomentPolicy.Reset, "copy-layers 12 stack, moments reset")]
    public void SaysWhatItIs(int count, LayerMapKind map, MomentPolicy moments, string says) =>
        Assert.Equal(says, new CopyLayers(count, map) { Moments = moments }.ToString());

    private static (byte[] Avg, byte[] AvgSq, long Steps) Remembered(ParameterState state) =>
        (Near.Bytes(state.Slots[AdamW.ExpAvg].Value), Near.Bytes(state.Slots[AdamW.ExpAvgSq].Value), state.Steps);
}
