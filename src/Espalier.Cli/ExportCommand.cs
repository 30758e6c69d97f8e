using System.CommandLine;
using Espalier.Growth;
using Espalier.Interop;
using Espalier.Models;
using Espalier.Torch;

namespace Espalier.Cli;

/// <summary><c>espalier export</c>.</summary>
internal static class ExportCommand
{
    private enum WeightType
    {
        F32,
        Bf16,
        F16,
    }

    public static Verb Create()
    {
        var checkpoint = new Argument<string>("CHECKPOINT")
        {
            Description = "A checkpoint, any model in Hugging Face's form, or a run: then its latest checkpoint.",
        };
        var type = new Option<WeightType>("--dtype")
        {
            Description = "What the weights are rounded to.",
            HelpName = "f32|bf16|f16",
            DefaultValueFactory = _ => WeightType.F32,
        };
        var depth = new Option<int?>("--depth")
        {
            Description = "Layers of the exported model, from those that the checkpoint stores (the default) to those of " +
                "the finished model. At the latter each is the layer that training executes there; between, neighbours repeat.",
            HelpName = "N",
        };
        var output = new OutputFolder();
        var command = new Verb(
            "export", "Writes a model as a folder that Hugging Face's transformers loads: at any depth, in any precision.")
        {
            checkpoint, type, depth, output,
        };
        command.Examples =
        [
            "espalier export runs/apollo --out models/apollo",
            "espalier export runs/apollo/checkpoints/step-00003000 --depth 12 --dtype bf16 --out models/apollo-mid",
        ];
        command.SetAction(parsed =>
        {
            string folder = output.Of(parsed);
            using LoadedModel loaded = LoadedModel.Load(parsed.GetValue(checkpoint)!, Device.Cpu);
            ForwardPlan plan = Plan(loaded, parsed.GetValue(depth) ?? loaded.Model.Layers);
            ModelConfig model = loaded.Model with { Layers = plan.Depth };
            OutputFolder.Write(
                folder, loaded, model, loaded.Parameters.Unroll(Architectures.Of(model.ModelType).Parameters(model), plan),
                StoredType(parsed.GetValue(type)));
            return 0;
        });
        return command;
    }

    private static ForwardPlan Plan(LoadedModel loaded, int depth) =>
        depth == loaded.FullDepth.Depth ? loaded.FullDepth
        : depth < loaded.Model.Layers ? throw new UserErrorException(
            $"--depth {depth} is less than the {loaded.Model.Layers} layers that the checkpoint stores.", Range(loaded))
        : depth > loaded.FullDepth.Depth ? throw new UserErrorException(
            $"--depth {depth} is more than the {loaded.FullDepth.Depth} layers that the finished model has.", Range(loaded))
        : new ForwardPlan(LayerMap.Interpolate(loaded.Model.Layers, depth));

    private static string Range(LoadedModel loaded) => loaded.Model.Layers < loaded.FullDepth.Depth
        ? $"Ask for {loaded.Model.Layers} to {loaded.FullDepth.Depth} layers."
        : "Leave --depth out.";

    private static SafetensorsDType StoredType(WeightType type) => type switch
    {
        WeightType.Bf16 => SafetensorsDType.BF16,
        WeightType.F16 => SafetensorsDType.F16,
        _ => SafetensorsDType.F32,
    };
}
