using Espalier.Models;
using Espalier.Tests.Growth;
using Espalier.Tests.Torch;
using Espalier.Torch;
using FsCheck;
using FsCheck.Fluent;

namespace Espalier.Tests.Models;

/// <summary>The way back part by part, against one backward pass through the whole graph.</summary>
[Collection(TensorCounts.Name)]
public class BackwardPassTests
{
    public BackwardPassTests() => TensorCounts.Settle();

    /// <summary>
    /// Of any model and plans, over two micro-batches: the gradients are those of the whole graph, bit for bit, and a layer is called final
    /// when the rest of the pass leaves its gradient alone.
    /// </summary>
    [Theory]
    [InlineData(false, false)]
    [InlineData(true, false)]
    [InlineData(false, true)]
    [InlineData(true, true)]
    public void GradientsAreThoseOfTheWholeGraph(bool bf16, bool recompute) => Prop.ForAll(Cases.ToArbitrary(), test =>
    {
        using var scope = new TensorScope();
        var compute = new Compute(Device.Cpu, bf16);
        using Model whole = Sample.ModelOf(test.Model), parts = Sample.ModelOf(test.Model);
        ModelBatch batch = GrowthSample.Batch(test.Model);
        foreach (ForwardPlan plan in test.Plans)
        {
            Tensor expected = LossOf(whole, plan, null), actual;
            expected.Backward();

            Dictionary<string, byte[]> final = [];
            List<int?> heard = [];
            using (var back = new BackwardPass(parts, plan, recompute ? compute : null))
            {
                actual = LossOf(parts, plan, back);
                back.Run(actual, layer =>
                {
                    heard.Add(layer);
                    foreach (Parameter parameter in parts.Parameters.Where(parameter => parameter.Spec.Layer == layer))
                    {
                        final.Add(parameter.Name, Bits(parameter));
                    }
                });
            }

            Near.Identical(expected, actual, "loss");
            foreach ((Parameter one, Parameter other) in whole.Parameters.Zip(parts.Parameters))
            {
                Assert.True(Bits(one).AsSpan().SequenceEqual(Bits(other)), $"{one.Name}: the bits differ");
                Assert.True(Bits(one).AsSpan().SequenceEqual(final[one.Name]), $"{one.Name}: not final when called so");
            }

            // First those that do not run, then by their first executions from above, last what lies outside.
            int[] first = [.. plan.StoredLayers.Distinct().Reverse()];
            Assert.Equal(
                [.. Enumerable.Range(0, test.Model.Layers).Except(first).Concat(first).Select(layer => (int?)layer), null], heard);
        }

        Tensor LossOf(Model model, ForwardPlan plan, BackwardPass? back)
        {
            Engine.ManualSeed(5);
            using Autocast? autocast = compute.LowerProducts();
            return back is null
                ? ForwardPass.LossSum(model, batch, plan, training: true, zLoss: 0.01)
                : ForwardPass.LossSum(model, batch, plan, back, 0.01);
        }
    }).QuickCheckThrowOnFailure();

    /// <summary>Whether the pass comes to its end or not.</summary>
    [Theory]
    [InlineData(true, false)]
    [InlineData(false, false)]
    [InlineData(true, true)]
    [InlineData(false, true)]
    public void NothingIsLeft(bool runs, bool recompute)
    {
        using Model model = Sample.ModelOf(Sample.Bert(2));
        using Tensor ids = Sample.Indices(1, model.Config.Vocabulary, 2, 12), targets = Sample.Indices(2, model.Config.Vocabulary, 24);
        var plan = ForwardPlan.Of([0, 1, 0]);
        long before = Tensor.LiveCount;
        using (var back = new BackwardPass(model, plan, recompute ? Compute.Cpu : null))
        using (Tensor loss = ForwardPass.LossSum(model, new ModelBatch(ids, targets), plan, back, zLoss: 0))
        {
            // Of the embedding, three layers and what follows them: what each made, or where random numbers stood; and the beginning of the next.
            Assert.Equal(before + 1 + (2 * 5), Tensor.LiveCount);
            if (runs)
            {
                back.Run(loss);
                Assert.Equal(before + 1, Tensor.LiveCount);
            }
        }

        Assert.Equal(before, Tensor.LiveCount);
    }

    /// <summary>An architecture may leave its layers out: the gradient then goes through as it is.</summary>
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void ALayerMayReturnWhatItIsGiven(bool recompute)
    {
        ModelConfig config = Sample.Model(2);
        using Model plain = Sample.ModelOf(config), parameters = Sample.ModelOf(config);
        var idle = new Model(new CountingGpt2(idle: true), config, parameters.Parameters);
        ModelBatch batch = GrowthSample.Batch(config);
        ForwardPass.LossSum(plain, batch, new ForwardPlan([])).Backward();
        var plan = ForwardPlan.Plain(2);
        using var back = new BackwardPass(idle, plan, recompute ? Compute.Cpu : null);
        back.Run(ForwardPass.LossSum(idle, batch, plan, back, zLoss: 0));
        foreach ((Parameter one, Parameter other) in plain.Parameters.Zip(idle.Parameters))
        {
            Assert.True(Bits(one).AsSpan().SequenceEqual(Bits(other)), $"{one.Name}: the bits differ");
        }
    }

    private static byte[] Bits(Parameter parameter)
    {
        using var scope = new TensorScope();
        return parameter.Value.Grad is Tensor gradient ? Near.Bytes(gradient) : [];
    }

    private static Gen<(ModelConfig Model, ForwardPlan[] Plans)> Cases =>
        from model in GrowthSample.All
        from dropout in Gen.Elements(0, 0.3)
        from first in Plans(model)
        from second in Plans(model)
        select (Dropping(model, dropout), new[] { first, second });

    private static ModelConfig Dropping(ModelConfig model, double dropout) => model switch
    {
        Gpt2Config gpt2 => gpt2 with { EmbeddingDropout = dropout, AttentionDropout = dropout, ResidualDropout = dropout },
        BertConfig bert => bert with { HiddenDropout = dropout, AttentionDropout = dropout },
        LlamaConfig llama => llama with { AttentionDropout = dropout },
        _ => model,
    };

    private static Gen<ForwardPlan> Plans(ModelConfig model) =>
        from depth in Gen.Choose(0, 6)
        from runs in Gen.ArrayOf(
            from stored in Gen.Choose(0, model.Layers - 1)
            from trains in Gen.Frequency((3, Gen.Constant(true)), (1, Gen.Constant(false)))
            from scale in Gen.Elements(1, 0.5)
            from kept in Gen.Choose(0, model.ContextLength)
            from mask in Masks
            select new LayerRun(stored, trains, scale, kept == 0 ? null : new TokenSubset(kept, 3), mask), depth)
        from trainsRest in Gen.Frequency((3, Gen.Constant(true)), (1, Gen.Constant(false)))
        from restMask in Masks
        select new ForwardPlan(runs, TrainsRest: trainsRest || runs.All(run => !run.Trains), RestMask: restMask);

    private static Gen<WidthMask?> Masks => Gen.Frequency(
        (2, Gen.Constant<WidthMask?>(null)), (1, Gen.Constant<WidthMask?>(new WidthMask(new UnitMask(2, 0.5), new UnitMask(1, 0.25), new UnitMask(1, 0)))));
}
