using System.Text.Json;
using Espalier.Models;
using Espalier.Torch;

namespace Espalier.Tests.Models;

/// <summary>
/// Executed layers that are frozen, scaled, see some tokens or are masked, against plain PyTorch in double precision
/// (tests/tools/make_plan_golden.py).
/// </summary>
public class PlanGoldenTests
{
    private static readonly string[] Names =
        ["frozen", "frozen-all-below", "scaled", "tokens", "masked", "masked-closed", "mixed"];

    public static TheoryData<string, string> Cases()
    {
        var cases = new TheoryData<string, string>();
        foreach (string name in Names)
        {
            cases.Add("gpt2", name);
            cases.Add("bert", name);
        }

        return cases;
    }

    [Theory]
    [InlineData("gpt2")]
    [InlineData("bert")]
    public void EveryCaseIsTested(string architecture)
    {
        using Golden golden = Golden.Open("plans-" + architecture);
        Assert.Equal(golden.Metadata("cases").Deserialize<string[]>(), Names);
    }

    [Theory]
    [MemberData(nameof(Cases))]
    public void LossLogitsAndGradients(string architecture, string name)
    {
        using Golden golden = Golden.Open("plans-" + architecture);
        using Model model = Load(golden);
        ForwardPlan plan = Plan(golden, name);
        ModelBatch batch = Batch(golden, name);
        Tensor logits = ForwardPass.HeadLogits(model, ForwardPass.HiddenAtTargets(model, batch, plan), plan);
        Near.Equal(golden[name + ".logits"].Reshape(-1, model.Config.Vocabulary), logits, 5e-6, "logits");

        Tensor loss = ForwardPass.LossSum(model, batch, plan, training: true);
        Near.Equal([golden[name + ".loss"].Item()], [loss.Item()], 2e-6, "loss");
        loss.Backward();
        string[] without = WithoutGradient(golden, name);
        Assert.Equal(
            without.Order(),
            model.Parameters.Where(parameter => parameter.Value.Grad is null).Select(parameter => parameter.Name).Order());
        foreach (Parameter parameter in model.Parameters.Where(parameter => !without.Contains(parameter.Name)))
        {
            // In theory the bias of the keys has no gradient at all: what there is, is rounding.
            Near.Equal(
                golden[$"{name}.grad.{parameter.Name}"], parameter.Value.Grad!, 1e-5, parameter.Name, HasKeyBias(parameter) ? 1 : 1e-3);
        }
    }

    /// <summary>As far from the truth as PyTorch's own autocast, give or take another such error.</summary>
    [Theory]
    [MemberData(nameof(Cases))]
    public void UnderAutocast(string architecture, string name)
    {
        using Golden golden = Golden.Open("plans-" + architecture);
        using Model model = Load(golden);
        ModelBatch batch = Batch(golden, name);
        Tensor lower;
        using (new Autocast(Device.Cpu))
        {
            lower = ForwardPass.LossSum(model, batch, Plan(golden, name), training: true);
        }

        double expected = golden[name + ".loss"].Item(), ofPyTorch = golden.Metadata("bf16_loss").GetProperty(name).GetDouble();
        Assert.NotEqual(expected, lower.Item(), 1e-4);
        Assert.InRange(Math.Abs(lower.Item() - expected), 0, (0.02 * batch.Predictions) + (3 * Math.Abs(ofPyTorch - expected)));
        lower.Backward();
        string[] without = WithoutGradient(golden, name);
        foreach (Parameter parameter in model.Parameters.Where(parameter => !without.Contains(parameter.Name)))
        {
            Assert.Equal(ScalarType.Float32, parameter.Value.Grad!.Type);
            if (!parameter.Name.EndsWith("key.bias", StringComparison.Ordinal))
            {
                double error = Near.RelativeError(golden[$"{name}.grad.{parameter.Name}"], parameter.Value.Grad!);
                Assert.True(error < 0.08, $"{parameter.Name}: the gradient under autocast is {error:P1} off");
            }
        }
    }

    private static Model Load(Golden golden)
    {
        ModelConfig config = golden.Model();
        return Model.Of(config, golden.Parameters(config));
    }

    private static ForwardPlan Plan(Golden golden, string name)
    {
        WidthMask? mask = name.StartsWith("masked", StringComparison.Ordinal)
            ? new WidthMask(UnitMask("hidden"), UnitMask("heads"), UnitMask("feed_forward"))
            : null;
        LayerRun[] runs = [.. golden.Metadata("runs").GetProperty(name).EnumerateArray().Select(run => new LayerRun(
            run.GetProperty("stored").GetInt32(), run.GetProperty("trains").GetBoolean(),
            run.GetProperty("scale").GetDouble(), Tokens(run.GetProperty("tokens").GetString()), mask))];
        return new ForwardPlan(
            runs, TrainsRest: golden.Metadata("rest_trains").GetProperty(name).GetBoolean(), RestMask: mask);

        UnitMask UnitMask(string kind)
        {
            double[] shares = Near.Values(golden[$"{name}.mask.{kind}"]);
            var made = new UnitMask(shares.Count(share => share == 1), shares[^1]);
            Assert.InRange(made.Open, 1, shares.Length - 1);
            return made;
        }

        TokenSubset? Tokens(string? index)
        {
            if (index is null)
            {
                return null;
            }

            long[] shape = golden[index].Shape;
            var tokens = new TokenSubset((int)shape[1], (ulong)golden.Metadata("tokens_seed").GetInt64());
            Assert.Equal(golden[index].ToArray<long>(), tokens.Positions((int)shape[0], (int)golden[name + ".input_ids"].Shape[1]));
            return tokens;
        }
    }

    private static ModelBatch Batch(Golden golden, string name) => golden.Model().ModelType == "bert"
        ? new ModelBatch(
            new ModelInput(golden[name + ".input_ids"], golden[name + ".token_type_ids"], golden[name + ".lengths"]),
            golden[name + ".targets"], golden[name + ".positions"])
        : new ModelBatch(golden[name + ".input_ids"], golden[name + ".targets"]);

    private static string[] WithoutGradient(Golden golden, string name) =>
        golden.Metadata("no_gradient").GetProperty(name).Deserialize<string[]>()!;

    private static bool HasKeyBias(Parameter parameter) =>
        parameter.Name.EndsWith("key.bias", StringComparison.Ordinal)
        || parameter.Name.EndsWith("c_attn.bias", StringComparison.Ordinal);
}
