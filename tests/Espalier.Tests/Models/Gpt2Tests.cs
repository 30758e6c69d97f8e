using Espalier.Growth;
using Espalier.Models;
using Espalier.Torch;

namespace Espalier.Tests.Models;

public class Gpt2Tests
{
    private static readonly Gpt2 Architecture = new();

    [Fact]
    public void ParametersHaveHuggingFacesNamesAndShapesInItsLayout()
    {
        Gpt2Config model = new()
        {
            Layers = 2, HiddenSize = 8, Heads = 2, ContextLength = 5, VocabularySize = 11, FfnSize = 24, TiedHead = false,
        };
        string[] expected =
        [
            "transformer.wte.weight 11,8",
            "transformer.wpe.weight 5,8",
            .. Enumerable.Range(0, 2).SelectMany(layer => new[]
            {
                "ln_1.weight 8", "ln_1.bias 8", "attn.c_attn.weight 8,24", "attn.c_attn.bias 24", "attn.c_proj.weight 8,8",
                "attn.c_proj.bias 8", "ln_2.weight 8", "ln_2.bias 8", "mlp.c_fc.weight 8,24", "mlp.c_fc.bias 24",
                "mlp.c_proj.weight 24,8", "mlp.c_proj.bias 8",
            }.Select(name => $"transformer.h.{layer}.{name}")),
            "transformer.ln_f.weight 8",
            "transformer.ln_f.bias 8",
            "lm_head.weight 11,8",
        ];
        IReadOnlyList<ParameterSpec> specs = Architecture.Parameters(model);
        Assert.Equal(expected, specs.Select(spec => $"{spec.Name} {string.Join(',', spec.Shape)}"));
        Assert.Equal(expected[..^1], Architecture.Parameters(model with { TiedHead = true })
            .Select(spec => $"{spec.Name} {string.Join(',', spec.Shape)}"));

        // Decay on matrices, embeddings included, and on nothing else.
        Assert.All(specs, spec => Assert.Equal(spec.Shape.Length == 2, spec.Decays));
    }

    /// <summary>What width operators will go by: every axis of every parameter once, with the side that it is on.</summary>
    [Fact]
    public void AxesSayWhatAParameterReadsAndWrites()
    {
        // The names tell units of the residual stream from heads times head size, which are as many.
        Gpt2Config model = Sample.Model(1) with { FfnSize = 24, TiedHead = false };
        string[] expected =
        [
            "transformer.wte.weight: Vocabulary 31, Hidden 16 Output",
            "transformer.wpe.weight: Position 12, Hidden 16 Output",
            "transformer.h.0.ln_1.weight: Hidden 16",
            "transformer.h.0.ln_1.bias: Hidden 16",
            "transformer.h.0.attn.c_attn.weight: Hidden 16 Input, QueryKeyValue 48 Output",
            "transformer.h.0.attn.c_attn.bias: QueryKeyValue 48 Output",
            "transformer.h.0.attn.c_proj.weight: Heads 16 Input, Hidden 16 Output",
            "transformer.h.0.attn.c_proj.bias: Hidden 16 Output",
            "transformer.h.0.ln_2.weight: Hidden 16",
            "transformer.h.0.ln_2.bias: Hidden 16",
            "transformer.h.0.mlp.c_fc.weight: Hidden 16 Input, Ffn 24 Output",
            "transformer.h.0.mlp.c_fc.bias: Ffn 24 Output",
            "transformer.h.0.mlp.c_proj.weight: Ffn 24 Input, Hidden 16 Output",
            "transformer.h.0.mlp.c_proj.bias: Hidden 16 Output",
            "transformer.ln_f.weight: Hidden 16",
            "transformer.ln_f.bias: Hidden 16",
            "lm_head.weight: Vocabulary 31 Output, Hidden 16 Input",
        ];
        Assert.Equal(expected, Architecture.Parameters(model).Select(AxesInWords.Of));
    }

    /// <summary>The published sizes of GPT-2 small and medium.</summary>
    [Theory]
    [InlineData(12, 768, 12, 124_439_808)]
    [InlineData(24, 1024, 16, 354_823_168)]
    public void TheNumberOfParametersIsThePublishedOne(int layers, int hidden, int heads, long expected)
    {
        Gpt2Config model = new()
        {
            Layers = layers, HiddenSize = hidden, Heads = heads, ContextLength = 1024, VocabularySize = 50_257,
        };
        Assert.Equal(expected, Architecture.Parameters(model).Sum(spec => spec.Shape.Aggregate(1L, (a, b) => a * b)));
    }

    [Fact]
    public void FlopsAreThoseOfTheMatrixProducts()
    {
        Gpt2Config model = new() { Layers = 2, HiddenSize = 8, Heads = 2, ContextLength = 5, VocabularySize = 11 };
        const int B = 2, T = 3;

        // Every matrix product (rows, inner, columns) of a forward pass, by hand; a multiplication and an addition each.
        long queriesKeysValues = Product(B * T, 8, 24), output = Product(B * T, 8, 8);
        long up = Product(B * T, 8, 32), down = Product(B * T, 32, 8);
        long scores = B * 2 * Product(T, 4, T), mixing = B * 2 * Product(T, T, 4);
        long head = Product(B * T, 8, 11);
        Assert.Equal((9216, 576, 1056), (queriesKeysValues + output + up + down, scores + mixing, head));

        // Executed depth counts, not stored layers.
        FlopsCount count = Architecture.ForwardFlops(model, new ForwardPlan([0, 0, 1, 1, 1]), B, T, B * T);
        Assert.Equal(new FlopsCount(5 * 9216, 5 * 576, 1056), count);
        Assert.Equal(50_016, count.Total);
        Assert.Equal(150_048, count.ForwardAndBackward.Total);
        Assert.Equal(new FlopsCount(7 * 9216, 7 * 576, 2 * 1056), count + Architecture.ForwardFlops(model, ForwardPlan.Plain(2), B, T, B * T));

        // The inner width is the configured one.
        Assert.Equal(
            5 * (queriesKeysValues + output + (2 * Product(B * T, 8, 10))),
            Architecture.ForwardFlops(model with { FfnSize = 10 }, new ForwardPlan([0, 0, 1, 1, 1]), B, T, B * T).Layers);

        static long Product(long rows, long inner, long columns) => 2 * rows * inner * columns;
    }

    [Fact]
    public void ATokenSeesOnlyWhatIsBeforeIt()
    {
        ModelConfig model = Sample.Model(2);
        using ParameterSet parameters = Sample.Parameters(model);
        long[] ids = Sample.Indices(1, model.Vocabulary, 10).ToArray<long>();
        double[] before = Logits(ids);
        ids[6] = (ids[6] + 1) % model.Vocabulary;
        double[] after = Logits(ids);

        int changed = 6 * model.Vocabulary;
        Near.Equal(before[..changed], after[..changed], 1e-6);
        for (int position = 6; position < 10; position++)
        {
            Range row = (position * model.Vocabulary)..((position + 1) * model.Vocabulary);
            Assert.True(before[row].Zip(after[row], (a, b) => Math.Abs(a - b)).Max() > 1e-4, $"position {position}");
        }

        double[] Logits(long[] tokens) => Near.Values(
            Architecture.Logits(model, parameters, Tensor.From<long>(tokens, [1, 10]), ForwardPlan.Plain(2)));
    }

    [Fact]
    public void SequencesOfABatchDoNotMix()
    {
        ModelConfig model = Sample.Model(2);
        using ParameterSet parameters = Sample.Parameters(model);
        Tensor ids = Sample.Indices(1, model.Vocabulary, 3, 9);
        Tensor batch = Architecture.Logits(model, parameters, ids, ForwardPlan.Plain(2));
        for (int sequence = 0; sequence < 3; sequence++)
        {
            Near.Equal(
                Architecture.Logits(model, parameters, ids.Narrow(0, sequence, 1), ForwardPlan.Plain(2)),
                batch.Narrow(0, sequence, 1), 1e-5);
        }
    }

    [Fact]
    public void TheLossIsTheCrossEntropyOfTheLogits()
    {
        ModelConfig model = Sample.Model(2);
        using ParameterSet parameters = Sample.Parameters(model);
        Tensor ids = Sample.Indices(1, model.Vocabulary, 2, 7), targets = Sample.Indices(2, model.Vocabulary, 2, 7);
        var plan = new ForwardPlan([1, 0, 1]);
        double[] logSoftmax = Near.Values(Architecture.Logits(model, parameters, ids, plan).LogSoftmax());
        double expected = -targets.ToArray<long>().Select((target, i) => logSoftmax[(i * model.Vocabulary) + target]).Average();
        Assert.Equal(expected, Architecture.Loss(model, parameters, new ModelBatch(ids, targets), plan, training: false).Item(), 5);
    }

    [Fact]
    public void APlanRunsStoredLayersAsIfTheyWereCopies()
    {
        ModelConfig stored = Sample.Model(3), executed = Sample.Model(7);
        int[] map = [2, 0, 0, 1, 2, 1, 1];
        using ParameterSet few = Sample.Parameters(stored);
        using var many = new ParameterSet(Architecture.Parameters(executed).Select(spec => new Parameter(
            spec, (spec.Layer is int layer ? few[map[layer], spec.Role] : few[spec.Role]).Clone())));
        Tensor ids = Sample.Indices(1, stored.Vocabulary, 2, 12);
        Near.Identical(
            Architecture.Logits(executed, many, ids, ForwardPlan.Plain(7)),
            Architecture.Logits(stored, few, ids, new ForwardPlan(map)));
    }

    /// <summary>Single precision and autocast against double precision where no size is a round one.</summary>
    [Theory]
    [InlineData(1, false)]
    [InlineData(1, true)]
    [InlineData(7, false)]
    [InlineData(7, true)]
    [InlineData(33, false)]
    [InlineData(33, true)]
    public void OddSizes(int time, bool bf16)
    {
        Gpt2Config model = new() { Layers = 2, HiddenSize = 20, Heads = 5, ContextLength = 40, VocabularySize = 61, FfnSize = 37 };
        using ParameterSet single = Sample.Parameters(model);
        using var exact = new ParameterSet(single.Select(parameter => new Parameter(
            parameter.Spec, ParameterSet.Trainable(parameter.Value.Detach().To(ScalarType.Float64, Device.Cpu).Clone()))));
        Tensor ids = Sample.Indices(1, 61, 2, time);
        long[] targets = new long[2 * time];
        Array.Fill(targets, Functional.IgnoredTarget);
        targets[^1] = 60;
        var plan = new ForwardPlan(LayerMap.Interpolate(2, 5));

        Tensor expected = Loss(exact), actual;
        using (bf16 ? new Autocast(Device.Cpu) : null)
        {
            actual = Loss(single);
        }

        Near.Equal([expected.Item()], [actual.Item()], bf16 ? 0.03 : 1e-5);
        expected.Backward();
        actual.Backward();
        foreach ((Parameter a, Parameter b) in exact.Zip(single))
        {
            Near.Equal(a.Value.Grad!, b.Value.Grad!, bf16 ? 0.15 : 5e-5, a.Name, floor: 0.01);
        }

        Tensor Loss(ParameterSet parameters) =>
            Architecture.Loss(model, parameters, new ModelBatch(ids, Tensor.From<long>(targets, [2, time])), plan, training: true);
    }

    [Fact]
    public void DropoutActsInTrainingOnly()
    {
        Gpt2Config still = Sample.Model(2);
        using ParameterSet parameters = Sample.Parameters(still);
        Tensor ids = Sample.Indices(1, still.Vocabulary, 2, 12), targets = Sample.Indices(2, still.Vocabulary, 2, 12);
        double expected = Loss(still, training: true);
        foreach (Gpt2Config model in (Gpt2Config[])[
            still with { EmbeddingDropout = 0.3 }, still with { AttentionDropout = 0.3 }, still with { ResidualDropout = 0.3 }])
        {
            Assert.Equal(expected, Loss(model, training: false));
            Assert.NotEqual(expected, Loss(model, training: true));
            Assert.NotEqual(Loss(model, training: true), Loss(model, training: true));
        }

        double Loss(ModelConfig model, bool training) =>
            Architecture.Loss(model, parameters, new ModelBatch(ids, targets), ForwardPlan.Plain(2), training).Item();
    }

    [Fact]
    public void TextLongerThanTheContextIsRefused()
    {
        ModelConfig model = Sample.Model(1);
        using ParameterSet parameters = Sample.Parameters(model);
        Assert.Throws<TorchException>(() => Architecture.Logits(
            model, parameters, Sample.Indices(1, model.Vocabulary, 1, model.ContextLength + 1), ForwardPlan.Plain(1)));
    }
}
