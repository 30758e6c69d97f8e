using System.Text.Json.Nodes;
using Espalier.Data;
using Espalier.Interop;
using Espalier.Models;
using Espalier.Tests.Data;
using Espalier.Torch;

namespace Espalier.Tests.Interop;

/// <summary>A model's folder as others may write it: to be bent before it is written.</summary>
internal sealed class HuggingFaceFolder
{
    public required JsonObject Config { get; init; }

    /// <summary>The tensors by the names that the file will give them.</summary>
    public Dictionary<string, Tensor> Tensors { get; private init; } = [];

    /// <summary>The type to round all tensors to.</summary>
    public SafetensorsDType Type { get; set; } = SafetensorsDType.F32;

    /// <summary>A model under today's names.</summary>
    public static HuggingFaceFolder Of(ModelConfig model, ParameterSet parameters) => new()
    {
        Config = JsonNode.Parse(HuggingFaceConfig.Write(model, ByteLevelBpe.RawBytes))!.AsObject(),
        Tensors = parameters.ToDictionary(parameter => parameter.Name, parameter => parameter.Value),
    };

    /// <summary>Renames tensors; a null leaves one out.</summary>
    public HuggingFaceFolder Rename(Func<string, string?> rename)
    {
        KeyValuePair<string, Tensor>[] before = [.. Tensors];
        Tensors.Clear();
        foreach ((string name, Tensor tensor) in before)
        {
            if (rename(name) is string now)
            {
                Tensors.Add(now, tensor);
            }
        }

        return this;
    }

    /// <summary>Writes config.json, model.safetensors and a tokenizer of bytes.</summary>
    public string Write(TemporaryFolder folder, string name = "model")
    {
        string path = WriteConfig(folder, name);
        SafetensorsWriter.Write(Path.Combine(path, "model.safetensors"), Entries(Tensors.Keys));
        return path;
    }

    /// <summary>The same with the tensors spread over some files, and an index.</summary>
    public string WriteSharded(TemporaryFolder folder, int shards, string name = "sharded")
    {
        string path = WriteConfig(folder, name);
        var map = new JsonObject();
        string[] names = [.. Tensors.Keys];
        for (int shard = 0; shard < shards; shard++)
        {
            string file = $"model-{shard + 1:D5}-of-{shards:D5}.safetensors";
            string[] here = [.. names.Where((_, i) => i % shards == shard)];
            SafetensorsWriter.Write(Path.Combine(path, file), Entries(here));
            foreach (string tensor in here)
            {
                map.Add(tensor, file);
            }
        }

        var index = new JsonObject { ["metadata"] = new JsonObject { ["total_size"] = 1 }, ["weight_map"] = map };
        File.WriteAllText(Path.Combine(path, "model.safetensors.index.json"), index.ToJsonString());
        return path;
    }

    private string WriteConfig(TemporaryFolder folder, string name)
    {
        string path = Directory.CreateDirectory(folder.File(name)).FullName;
        File.WriteAllText(Path.Combine(path, "config.json"), Config.ToJsonString());
        ByteLevelBpe.RawBytes.Save(Path.Combine(path, "tokenizer.json"));
        return path;
    }

    private IEnumerable<SafetensorsTensor> Entries(IEnumerable<string> names) => names.Select(name =>
        Tensors[name].Type == ScalarType.Float32
            ? TensorFile.Entry(name, Tensors[name], Type)
            : new SafetensorsTensor(name, SafetensorsDType.Bool, Tensors[name].Shape, Near.Bytes(Tensors[name])));
}
