using Espalier.Growth;
using Espalier.Models;
using Espalier.Optimization;
using Espalier.Torch;
using FsCheck;
using FsCheck.Fluent;

namespace Espalier.Tests.Growth;

public class FreshLayersTests
{
    private static readonly Gen<(ModelConfig Model, FreshLayers Operator)> Growths =
        from model in GrowthSample.Models
        from layers in Gen.Choose(0, 4)
        from more in Gen.Choose(layers == 0 ? 1 : 0, 6)
        from place in Gen.Elements(Enum.GetValues<FreshPlace>())
        from moments in Gen.Elements(Enum.GetValues<MomentPolicy>())
        select (model with { Layers = layers }, new FreshLayers(layers + more, place) { Moments = moments });

    /// <summary>The old layer of each place; null for a fresh one.</summary>
    [Theory]
    [InlineData(2, 5, FreshPlace.Top, "0,1,,,")]
    [InlineData(2, 5, FreshPlace.Bottom, ",,,0,1")]
    [InlineData(2, 5, FreshPlace.Between, "0,,,,1")]
    [InlineData(3, 7, FreshPlace.Between, "0,,,1,,,2")]
    [InlineData(3, 6, FreshPlace.Between, "0,,1,,,2")]
    [InlineData(1, 3, FreshPlace.Between, "0,,")]
    [InlineData(0, 2, FreshPlace.Between, ",")]
    public void StandWhereTheyAreToldTo(int before, int after, FreshPlace place, string expected)
    {
        TrainingState state = GrowthSample.State(GrowthSample.Gpt2(before));
        byte[][] norms = Norms(state);
        using TrainingState grown = new FreshLayers(after, place).Apply(state, GrowthSample.NoContext);
        Assert.Equal(expected, string.Join(',', Origins(grown, norms)));
    }

    /// <summary>Bit for bit: old layers move and are otherwise untouched, new ones are those of a new model of the run's seed.</summary>
    [Fact]
    public void AreThoseOfANewModelAmongOldOnes() => Check.One(
        Config.QuickThrowOnFailure.WithMaxTest(120),
        Prop.ForAll(Growths.ToArbitrary(), growth => CheckGrowth(growth.Model, growth.Operator)));

    private static void CheckGrowth(ModelConfig model, FreshLayers growth)
    {
        TrainingState state = GrowthSample.State(model);
        byte[][] norms = Norms(state);
        var before = state.Model.Parameters.ToDictionary(
            p => (p.Spec.Layer, p.Spec.Role), p => (Bytes: Near.Bytes(p.Value), Own: Remembered(state.Optimizer[p.Name])));
        using TrainingState grown = growth.Apply(state, GrowthSample.NoContext);
        int?[] origins = Origins(grown, norms);
        int[] places = [.. Enumerable.Range(0, growth.Count).Where(layer => origins[layer] is not null)];
        Assert.Equal(Enumerable.Range(0, model.Layers), places.Select(place => origins[place]!.Value));
        if (growth.Place == FreshPlace.Between && places.Length > 1)
        {
            Assert.Equal((0, growth.Count - 1), (places[0], places[^1]));
            int[] gaps = [.. places.Zip(places.Skip(1), (lower, upper) => upper - lower)];
            Assert.InRange(gaps.Max() - gaps.Min(), 0, 1);
        }

        ModelConfig config = grown.Model.Config;
        Assert.Equal(model with { Layers = growth.Count }, config);
        Assert.Equal(new Promise(Kept.Not, Dynamics: false), growth.Promise(model));
        using ParameterSet begun = ParameterSet.Initialize(
            grown.Model.Architecture.Parameters(config), config, config.Layers, GrowthSample.RunSeed, Device.Cpu);
        foreach (Parameter parameter in grown.Model.Parameters)
        {
            (int? layer, string role) = (parameter.Spec.Layer, parameter.Spec.Role);
            ParameterState own = grown.Optimizer[parameter.Name];
            Assert.True(parameter.Value.RequiresGrad, parameter.Name);
            bool isNew = layer is int at && origins[at] is null;
            Assert.Equal(isNew ? NewUnits.All : null, own.New);
            byte[] value = isNew
                ? Near.Bytes(begun[layer!.Value, role]) : before[(layer is int place ? origins[place] : null, role)].Bytes;
            Assert.True(value.SequenceEqual(Near.Bytes(parameter.Value)), parameter.Name);

            bool isEmpty = isNew || growth.Moments == MomentPolicy.Reset;
            (byte[] slots, long steps) = isEmpty
                ? (new byte[2 * parameter.Value.ByteLength], 0)
                : before[(layer is int to ? origins[to] : null, role)].Own;
            Assert.Equal(steps, own.Steps);
            Assert.True(slots.SequenceEqual(Remembered(own).Slots), parameter.Name);
        }

        // It computes, from no layers on too.
        Assert.True(double.IsFinite(ForwardPass.LossSum(grown.Model, GrowthSample.Batch(config), ForwardPlan.Plain(config.Layers)).Item()));
    }

    [Fact]
    public void RefusesToShrinkAndLeavesTheStateWhole()
    {
        using TrainingState state = GrowthSample.State(GrowthSample.Gpt2(3));
        Assert.Throws<ArgumentOutOfRangeException>(() => new FreshLayers(2).Apply(state, GrowthSample.NoContext));
        Assert.All(state.Model.Parameters, parameter => Assert.NotEmpty(Near.Bytes(parameter.Value)));
    }

    [Fact]
    public void SaysWhatItIs() => Assert.Equal(
        "fresh-layers 6 between, moments keep", new FreshLayers(6, FreshPlace.Between) { Moments = MomentPolicy.Keep }.ToString());

    /// <summary>The old layer of each place, found by its first norm; null for a fresh one.</summary>
    private static int?[] Origins(TrainingState grown, IReadOnlyList<byte[]> norms) =>
    [
        .. Enumerable.Range(0, grown.Model.Config.Layers).Select(layer => Near.Bytes(Norm(grown.Model, layer)))
            .Select(norm => Enumerable.Range(0, norms.Count).Where(old => norms[old].SequenceEqual(norm)).Cast<int?>().SingleOrDefault()),
    ];

    private static byte[][] Norms(TrainingState state) =>
        [.. Enumerable.Range(0, state.Model.Config.Layers).Select(layer => Near.Bytes(Norm(state.Model, layer)))];

    private static Tensor Norm(Model model, int layer) =>
        model.Parameters[layer, model.Config is BertConfig ? "attention.output.LayerNorm.weight" : "ln_1.weight"];

    private static (byte[] Slots, long Steps) Remembered(ParameterState state) =>
        ([.. Near.Bytes(state.Slots[AdamW.ExpAvg].Value), .. Near.Bytes(state.Slots[AdamW.ExpAvgSq].Value)], state.Steps);
}
