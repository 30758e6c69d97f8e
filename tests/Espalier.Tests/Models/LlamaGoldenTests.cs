using Espalier.Interop;
using Espalier.Models;
using Espalier.Tests.Data;
using Espalier.Tests.Interop;
using Espalier.Torch;

namespace Espalier.Tests.Models;

/// <summary>Llama and Qwen3 against plain ones in PyTorch in double precision (tests/tools/llama_oracle.py).</summary>
public class LlamaGoldenTests
{
    public static TheoryData<string> Names => ["llama", "llama-biases", "llama-llama3", "qwen3"];

    [Theory]
    [MemberData(nameof(Names))]
    public void ForwardAndBackward(string name)
    {
        using Golden golden = Golden.Open(name);
        AgreesWith(golden, "", _ => ForwardPlan.Plain(2));
    }

    [Theory]
    [MemberData(nameof(Names))]
    public void MaskedUnits(string name)
    {
        using Golden golden = Golden.Open(name);
        AgreesWith(golden, "masked.", model =>
        {
            var mask = new WidthMask(Half(model.HiddenSize), Half(model.HeadGroups), Half(model.FfnWidth));
            return new ForwardPlan([new LayerRun(0, Mask: mask), new LayerRun(1, Mask: mask)], RestMask: mask);
        });

        static UnitMask Half(int units) => new(units - (units / 2), 0.25);
    }

    /// <summary>Tokens that a layer sees alone keep their positions.</summary>
    [Theory]
    [MemberData(nameof(Names))]
    public void SomeOfTheTokens(string name)
    {
        using Golden golden = Golden.Open(name);
        var tokens = new TokenSubset(5, 6);
        Assert.Equal(golden["subset.tokens"].ToArray<long>(), tokens.Positions(2, 11));
        AgreesWith(golden, "subset.", _ => new ForwardPlan([new LayerRun(0), new LayerRun(1, Scale: 0.5, Tokens: tokens), new LayerRun(0)]));
    }

    [Theory]
    [MemberData(nameof(Names))]
    public void UnderAutocastAsFarOffAsPyTorch(string name)
    {
        using Golden golden = Golden.Open(name);
        using Model model = Model.Of(golden.Model(), golden.Parameters(golden.Model()));
        using var _ = new Autocast(Device.Cpu);
        Tensor loss = MeanLoss.Of(model, new ModelBatch(golden["input_ids"], golden["targets"]), ForwardPlan.Plain(2));
        double expected = golden["loss"].Item();
        Assert.InRange(
            Math.Abs(loss.Item() - expected), 0, 0.02 + (3 * Math.Abs(golden.Metadata("bf16_loss").GetDouble() - expected)));
        loss.Backward();
        foreach (Parameter parameter in model.Parameters)
        {
            Assert.Equal(ScalarType.Float32, parameter.Value.Grad!.Type);
            double error = Near.RelativeError(golden["grad." + parameter.Name], parameter.Value.Grad!);
            Assert.True(error < 0.08, $"{parameter.Name}: the gradient under autocast is {error:P1} off");
        }
    }

    /// <summary>A folder as others write it: read, and its logits as the oracle has them; a constant of old files is passed over.</summary>
    [Theory]
    [MemberData(nameof(Names))]
    public void AFolderIsRead(string name)
    {
        using Golden golden = Golden.Open(name);
        using var folder = new TemporaryFolder();
        ModelConfig config = golden.Model();
        HuggingFaceFolder stored = HuggingFaceFolder.Of(config, golden.Parameters(config));
        stored.Tensors.Add("model.layers.0.self_attn.rotary_emb.inv_freq", Tensor.Zeros([4]));
        string path = stored.Write(folder);
        Assert.Equal(config, ModelFolder.ReadConfig(path));
        using Model model = Model.Of(config, ModelFolder.ReadParameters(path, config, Device.Cpu));
        Near.Equal(golden["logits"], ForwardPass.Logits(model, golden["input_ids"], ForwardPlan.Plain(2)), 5e-6, "logits");
    }

    private static void AgreesWith(Golden golden, string prefix, Func<ModelConfig, ForwardPlan> planOf)
    {
        ModelConfig config = golden.Model();
        using Model model = Model.Of(config, golden.Parameters(config));
        ForwardPlan plan = planOf(config);
        var batch = new ModelBatch(golden["input_ids"], golden["targets"]);
        Near.Equal(golden[prefix + "logits"], ForwardPass.Logits(model, batch.Input, plan), 5e-6, "logits");

        Tensor loss = MeanLoss.Of(model, batch, plan);
        Assert.Equal(golden[prefix + "loss"].Item(), loss.Item(), 5e-6);
        loss.Backward();
        foreach (Parameter parameter in model.Parameters)
        {
            Near.Equal(golden[$"{prefix}grad.{parameter.Name}"], parameter.Value.Grad!, 1e-5, parameter.Name);
        }
    }
}
