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
            "transformer.h.0.attn.c_attn.weight: Hidden 16 Input, Heads 3 x 2 x 8 Output",
            "transformer.h.0.attn.c_attn.bias: Heads 3 x 2 x 8 Output",
            "transformer.h.0.attn.c_proj.weight: Heads 2 x 8 Input, Hidden 16 Output",
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
    public void ATokenSeesOnlyWhatIsBeforeIt()
    {
        using Model model = Sample.ModelOf(Sample.Model(2));
        int vocabulary = model.Config.Vocabulary;
        long[] ids = Sample.Indices(1, vocabulary, 10).ToArray<long>();
        double[] before = Logits(ids);
        ids[6] = (ids[6] + 1) % vocabulary;
        double[] after = Logits(ids);

        int changed = 6 * vocabulary;
        Near.Equal(before[..changed], after[..changed], 1e-6);
        for (int position = 6; position < 10; position++)
        {
            Range row = (position * vocabulary)..((position + 1) * vocabulary);
            Assert.True(before[row].Zip(after[row], (a, b) => Math.Abs(a - b)).Max() > 1e-4, $"position {position}");
        }

        double[] Logits(long[] tokens) => Near.Values(
            ForwardPass.Logits(model, Tensor.From<long>(tokens, [1, 10]), ForwardPlan.Plain(2)));
    }

    [Fact]
    public void SequencesOfABatchDoNotMix()
    {
        using Model model = Sample.ModelOf(Sample.Model(2));
        Tensor ids = Sample.Indices(1, model.Config.Vocabulary, 3, 9);
        Tensor batch = ForwardPass.Logits(model, ids, ForwardPlan.Plain(2));
        for (int sequence = 0; sequence < 3; sequence++)
        {
            Near.Equal(
                ForwardPass.Logits(model, ids.Narrow(0, sequence, 1), ForwardPlan.Plain(2)),
                batch.Narrow(0, sequence, 1), 1e-5);
        }
    }

    [Fact]
    public void TheLossIsTheCrossEntropyOfTheLogits()
    {
        using Model model = Sample.ModelOf(Sample.Model(2));
        int vocabulary = model.Config.Vocabulary;
        Tensor ids = Sample.Indices(1, vocabulary, 2, 7), targets = Sample.Indices(2, vocabulary, 2, 7);
        ForwardPlan plan = ForwardPlan.Of([1, 0, 1]);
        double[] logSoftmax = Near.Values(ForwardPass.Logits(model, ids, plan).LogSoftmax());
        double expected = -targets.ToArray<long>().Select((target, i) => logSoftmax[(i * vocabulary) + target]).Sum();
        Assert.Equal(expected, ForwardPass.LossSum(model, new ModelBatch(ids, targets), plan).Item(), 4);
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
            ForwardPass.Logits(Model.Of(executed, many), ids, ForwardPlan.Plain(7)),
            ForwardPass.Logits(Model.Of(stored, few), ids, ForwardPlan.Of(map)));
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
        ForwardPlan plan = ForwardPlan.Of(LayerMap.Interpolate(2, 5));

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

        Tensor Loss(ParameterSet parameters) => ForwardPass.LossSum(
            Model.Of(model, parameters), new ModelBatch(ids, Tensor.From<long>(targets, [2, time])), plan, training: true);
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

        double Loss(ModelConfig model, bool training) => ForwardPass.LossSum(
            Model.Of(model, parameters), new ModelBatch(ids, targets), ForwardPlan.Plain(2), training).Item();
    }

    [Fact]
    public void TextLongerThanTheContextIsRefused()
    {
        using Model model = Sample.ModelOf(Sample.Model(1));
        Assert.Throws<TorchException>(() => ForwardPass.Logits(
            model, Sample.Indices(1, model.Config.Vocabulary, 1, model.Config.ContextLength + 1), ForwardPlan.Plain(1)));
    }
}
