using Espalier.Evaluation;
using Espalier.Growth;
using Espalier.Models;

namespace Espalier.Tests.Evaluation;

/// <summary>The Hessian against PyTorch's own (tests/tools/make_curvature_golden.py).</summary>
public sealed class LossCurvatureTests
{
    [Fact]
    public void AProductIsPyTorchs()
    {
        using Golden golden = Golden.Open("curvature");
        ModelConfig config = golden.Model();
        using Model model = Model.Of(config, golden.Parameters(config));
        using var curvature = new LossCurvature(model, ForwardPlan.Plain(2), Batch(golden));
        double[] vector = Flat("vector."), expected = Flat("product."), product = curvature.Product(vector);
        Assert.Equal(curvature.Size, expected.Length);
        double length = Math.Sqrt(expected.Sum(value => value * value));
        double distance = Math.Sqrt(expected.Zip(product, (e, p) => (e - p) * (e - p)).Sum());
        Assert.InRange(distance / length, 0, 2e-3);

        double[] Flat(string prefix) =>
            [.. model.Parameters.SelectMany(parameter => golden[prefix + parameter.Name].ToArray<float>()).Select(value => (double)value)];
    }

    [Fact]
    public void SharpnessIsTheLargestEigenvalue()
    {
        using Golden golden = Golden.Open("curvature");
        ModelConfig config = golden.Model();
        using Model model = Model.Of(config, golden.Parameters(config));
        using var curvature = new LossCurvature(model, ForwardPlan.Plain(2), Batch(golden));
        double largest = golden["largest"].Item();
        Assert.Equal(largest, curvature.Sharpness(20), largest * 2e-3);
        Assert.Equal(largest, curvature.Sharpness(20, seed: 2), largest * 2e-3);
        Assert.InRange(curvature.Sharpness(3), 0, largest * 1.001);
    }

    /// <summary>Layers that share weights have weights of their own here, and the model is left as it was.</summary>
    [Fact]
    public void CopiesHaveWeightsOfTheirOwn()
    {
        using Golden golden = Golden.Open("curvature");
        ModelConfig config = golden.Model();
        using Model model = Model.Of(config, golden.Parameters(config));
        int[] map = LayerMap.Stack(2, 4);
        using var copies = new LossCurvature(model, ForwardPlan.Of(map), Batch(golden));
        ModelConfig larger = config with { Layers = 4 };
        using Model grown = Model.Of(larger, new ParameterSet(larger.Architecture.Parameters(larger).Select(spec => new Parameter(
            spec, ParameterSet.Trainable(
                (spec.Layer is int layer ? model.Parameters[map[layer], spec.Role] : model.Parameters[spec.Role]).Detach().Clone())))));
        using var whole = new LossCurvature(grown, ForwardPlan.Plain(4), Batch(golden));
        Assert.Equal(whole.Sharpness(4), copies.Sharpness(4));
        foreach (Parameter parameter in model.Parameters)
        {
            Near.Identical(golden["param." + parameter.Name], parameter.Value, parameter.Name);
        }
    }

    private static ModelBatch Batch(Golden golden) => new(golden["input_ids"], golden["targets"]);
}
