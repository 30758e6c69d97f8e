using Espalier.Growth;
using Espalier.Models;
using Espalier.Tests.Growth;
using Espalier.Tests.Torch;
using Espalier.Torch;
using FsCheck;
using FsCheck.Fluent;

namespace Espalier.Tests.Models;

/// <summary>The loop over layers. That it computes right: <see cref="PlanGoldenTests"/>.</summary>
[Collection(TensorCounts.Name)]
public class ForwardPassTests
{
    public ForwardPassTests() => TensorCounts.Settle();

    /// <summary>What a layer made on the way is gone when the next one begins, whether gradients are kept or not.</summary>
    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void ALayersTensorsAreFreedBeforeTheNextBegins(bool training)
    {
        using NoGrad? noGrad = training ? null : new NoGrad();
        var counting = new CountingGpt2();
        ModelConfig config = Sample.Model(4);
        using var model = new Model(counting, config, Sample.Parameters(config));
        using Tensor ids = Sample.Indices(1, config.Vocabulary, 2, 12);
        var mask = new WidthMask(new UnitMask(8, 0.5), new UnitMask(1, 0), new UnitMask(8, 0));
        LayerRun[] runs = [.. Enumerable.Range(0, 4).Select(layer =>
            new LayerRun(layer, Trains: layer > 1, Scale: 0.5, new TokenSubset(5, 1), mask))];
        using Tensor hidden = ForwardPass.Hidden(model, ids, new ForwardPlan(runs, RestMask: mask), training);
        Assert.Equal(4, counting.Before.Count);
        Assert.Single(counting.Before.Distinct());
        Assert.All(counting.Before.Zip(counting.After), pair => Assert.True(pair.Second > pair.First + 10));
    }

    /// <summary>Of any depth, the loss alone is left; the graph holds on to what the backward pass needs by itself.</summary>
    [Theory]
    [InlineData(1)]
    [InlineData(9)]
    public void TheLossIsAllThatIsLeft(int depth)
    {
        using Model model = Sample.ModelOf(Sample.Bert(1));
        using Tensor ids = Sample.Indices(1, model.Config.Vocabulary, 2, 12), targets = Sample.Indices(2, model.Config.Vocabulary, 4);
        using Tensor positions = Tensor.From<long>([1, 5, 13, 20], [4]);
        long before = Tensor.LiveCount;
        using (Tensor loss = ForwardPass.LossSum(
            model, new ModelBatch(ids, targets, positions), ForwardPlan.Of(new int[depth]), training: true))
        {
            Assert.Equal(before + 1, Tensor.LiveCount);
            loss.Backward();
        }

        Assert.Equal(before, Tensor.LiveCount);
    }

    /// <summary>Of every architecture, in double precision: the penalty composed of the model's own scores.</summary>
    [Fact]
    public void ZLossIsInTheGradientAlone() => Prop.ForAll(GrowthSample.All.ToArbitrary(), config =>
    {
        const double ZLoss = 0.1;
        using var scope = new TensorScope();
        ModelBatch batch = GrowthSample.Batch(config);
        ForwardPlan plan = ForwardPlan.Plain(config.Layers);
        using TrainingState plain = GrowthSample.ExactState(config), penalized = GrowthSample.ExactState(config);

        Tensor loss = ForwardPass.LossSum(plain.Model, batch, plan);
        Tensor scores_NV = ForwardPass.HeadLogits(plain.Model, ForwardPass.HiddenAtTargets(plain.Model, batch, plan), plan);
        Tensor normalizers_N = (scores_NV - scores_NV.LogSoftmax()).Narrow(1, 0, 1);
        (loss + ((normalizers_N * normalizers_N).Sum() * ZLoss)).Backward();

        Tensor actual = ForwardPass.LossSum(penalized.Model, batch, plan, zLoss: ZLoss);
        actual.Backward();
        Near.Equal(loss, actual, 1e-12, "loss");
        foreach ((Parameter expected, Parameter found) in plain.Model.Parameters.Zip(penalized.Model.Parameters))
        {
            Near.Equal(expected.Value.Grad!, found.Value.Grad!, 1e-9, expected.Name);
        }
    }).QuickCheckThrowOnFailure();

    /// <summary>An architecture may leave its layers out.</summary>
    [Fact]
    public void ALayerMayReturnWhatItIsGiven()
    {
        ModelConfig config = Sample.Model(2);
        using Model plain = Sample.ModelOf(config);
        var idle = new Model(new CountingGpt2(idle: true), config, plain.Parameters);
        Tensor ids = Sample.Indices(1, config.Vocabulary, 2, 12);
        Near.Identical(
            ForwardPass.Logits(plain, ids, new ForwardPlan([])), ForwardPass.Logits(idle, ids, ForwardPlan.Plain(2)));
    }

    [Theory]
    [InlineData("gpt2")]
    [InlineData("bert")]
    public void AllTokensOfAllUnitsAreThePlainPass(string type)
    {
        using Model model = Sample.ModelOf(type == "bert" ? Sample.Bert(2) : Sample.Model(2));
        var input = new ModelInput(
            Sample.Indices(1, model.Config.Vocabulary, 2, 12),
            Lengths: type == "bert" ? Tensor.From<long>([12, 7], [2]) : null);
        var open = new WidthMask(new UnitMask(16, 0), new UnitMask(1, 1), new UnitMask(0, 1));
        ForwardPlan plan = new(
            [new LayerRun(0, Tokens: new TokenSubset(12, 3)), new LayerRun(1, Tokens: new TokenSubset(99, 4), Mask: open)],
            RestMask: open);
        Near.Equal(
            Seen(ForwardPass.Logits(model, input, ForwardPlan.Plain(2))), Seen(ForwardPass.Logits(model, input, plan)), 2e-6);

        // Without the padding of the second sequence.
        static Tensor Seen(Tensor logits) => logits.Narrow(1, 0, 7);
    }
}
