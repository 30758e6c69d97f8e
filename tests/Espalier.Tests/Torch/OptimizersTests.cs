using System.Text.Json;
using Espalier.Torch;

namespace Espalier.Tests.Torch;

public class OptimizersTests
{
    [Theory]
    [InlineData("clip")]
    [InlineData("clip_below")]
    public void GlobalNormAgreesWithTheReference(string name)
    {
        using Golden golden = Golden.Open("reference");
        Tensor[] gradients = [golden[name + "/input0"], golden[name + "/input1"]];
        double norm = Optimizers.GlobalNorm(gradients);
        Near.Equal([golden[name + "/norm"].Item()], [norm], 1e-6);

        double scale = Math.Min(1, golden.Metadata("clip").GetProperty("max_norm").GetDouble() / (norm + 1e-6));
        for (int i = 0; i < 2; i++)
        {
            Near.Equal(golden[$"{name}/output{i}"], gradients[i] * scale, 1e-6);
        }
    }

    /// <summary>Sizes around the blocks of the kernel; also other types, views and nothing at all.</summary>
    [Fact]
    public void GlobalNormIsTheRootOfTheSumOfSquares()
    {
        foreach (long size in (long[])[1, 4095, 4096, 4097, 32768, 100_001])
        {
            Tensor gradient = Sample.Normal(1, size);
            double expected = Math.Sqrt(Near.Values(gradient).Sum(x => x * x));
            Near.Equal([expected], [Optimizers.GlobalNorm([gradient])], 1e-6);
            Near.Equal(
                [expected * Math.Sqrt(2)],
                [Optimizers.GlobalNorm([gradient.To(ScalarType.Float64, Device.Cpu), gradient])], 1e-6);
        }

        Tensor matrix = Sample.Normal(2, 6, 7);
        Near.Equal([Optimizers.GlobalNorm([matrix])], [Optimizers.GlobalNorm([matrix.Transpose(0, 1)])], 1e-6);
        Assert.Equal(0, Optimizers.GlobalNorm([]));
        Assert.Equal(5, Optimizers.GlobalNorm([Tensor.From<float>([3], []), Tensor.From<float>([4, 0], [2])]), 6);
    }

    [Fact]
    public void GlobalNormShowsWhatIsNotFinite()
    {
        Assert.True(double.IsNaN(Optimizers.GlobalNorm([Tensor.From<float>([1, float.NaN], [2])])));
        Assert.Equal(double.PositiveInfinity, Optimizers.GlobalNorm([Tensor.From<float>([1, float.PositiveInfinity], [2])]));
    }

    [Theory]
    [InlineData("adamw", ScalarType.Float32)]
    [InlineData("adamw_without_decay", ScalarType.Float32)]
    [InlineData("adamw", ScalarType.Float64)]
    [InlineData("adamw_without_decay", ScalarType.Float64)]
    public void AdamWAgreesWithTheReference(string name, ScalarType type)
    {
        using Golden golden = Golden.Open("reference");
        JsonElement settings = golden.Metadata("adamw");
        Tensor[] state = [.. Enumerable.Range(0, 4).Select(i => golden[$"{name}/input{i}"].To(type, Device.Cpu))];
        Optimizers.AdamW(
            state[0], state[1], state[2], state[3], gradientScale: 1, Setting("learning_rate"), Setting("beta1"),
            Setting("beta2"), Setting("epsilon"), name == "adamw" ? Setting("weight_decay") : 0,
            (long)Setting("steps_before") + 1);
        Near.Equal(golden[name + "/output0"], state[0], 1e-6, "parameter");
        Near.Equal(golden[name + "/output1"], state[2], 1e-6, "exp_avg");
        Near.Equal(golden[name + "/output2"], state[3], 1e-6, "exp_avg_sq");

        double Setting(string key) => settings.GetProperty(key).GetDouble();
    }

    /// <summary>
    /// The formulas of the paper in double precision over many steps, for sizes that no vector divides; the strided
    /// parameter takes the general path.
    /// </summary>
    [Theory]
    [InlineData(ScalarType.Float32, false)]
    [InlineData(ScalarType.Float32, true)]
    [InlineData(ScalarType.Float64, false)]
    public void AdamWFollowsThePaper(ScalarType type, bool strided)
    {
        const double Rate = 0.01, Beta1 = 0.8, Beta2 = 0.999, Epsilon = 1e-6, Decay = 0.1, Scale = 0.37;
        const int Count = 5 * 13;
        Tensor parameter = Of(Sample.Normal(1, 5, 13)), first = Of(Tensor.Zeros([5, 13])), second = Of(Tensor.Zeros([5, 13]));
        double[] p = Near.Values(parameter), m = new double[Count], v = new double[Count];
        for (int step = 1; step <= 20; step++)
        {
            Tensor gradient = Of(Sample.Normal(100 + step, 5, 13));
            Optimizers.AdamW(parameter, gradient, first, second, Scale, Rate, Beta1, Beta2, Epsilon, Decay, step);
            double[] g = Near.Values(gradient);
            for (int i = 0; i < Count; i++)
            {
                double scaled = g[i] * Scale;
                m[i] = (Beta1 * m[i]) + ((1 - Beta1) * scaled);
                v[i] = (Beta2 * v[i]) + ((1 - Beta2) * scaled * scaled);
                double mean = m[i] / (1 - Math.Pow(Beta1, step)), square = v[i] / (1 - Math.Pow(Beta2, step));
                p[i] -= Rate * ((mean / (Math.Sqrt(square) + Epsilon)) + (Decay * p[i]));
            }
        }

        double tolerance = type == ScalarType.Float64 ? 1e-12 : 3e-6;
        Near.Equal(p, Near.Values(parameter), tolerance, "parameter");
        Near.Equal(m, Near.Values(first), tolerance, "exp_avg");
        Near.Equal(v, Near.Values(second), tolerance, "exp_avg_sq");

        Tensor Of(Tensor tensor)
        {
            Tensor typed = tensor.To(type, Device.Cpu);
            return strided ? typed.Transpose(0, 1).Clone().Transpose(0, 1) : typed;
        }
    }

    [Fact]
    public void AdamWGivesTheSameBitsForEveryNumberOfElementsAround()
    {
        // A parameter's update may not depend on where vectors or threads divide it.
        Tensor gradient = Sample.Normal(1, 70_001), parameter = Sample.Normal(2, 70_001);
        Tensor whole = Step(parameter.Clone(), gradient);
        Tensor part = Step(parameter.Narrow(0, 0, 33_000).Clone(), gradient.Narrow(0, 0, 33_000).Clone());
        Near.Identical(whole.Narrow(0, 0, 33_000), part);

        static Tensor Step(Tensor parameter, Tensor gradient)
        {
            Optimizers.AdamW(
                parameter, gradient, Tensor.ZerosLike(parameter), Tensor.ZerosLike(parameter), 1, 0.1, 0.9, 0.999, 1e-8, 0.01, 1);
            return parameter;
        }
    }
}
