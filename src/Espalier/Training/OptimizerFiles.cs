using System.Globalization;
using Espalier.Interop;
using Espalier.Models;
using Espalier.Optimization;
using Espalier.Torch;

namespace Espalier.Training;

/// <summary>
/// What an optimizer remembers, on disk: one file, or one of each rank that it was dealt out over. Whoever reads it need not be as many:
/// each file says which elements of a parameter it holds.
/// </summary>
internal sealed class OptimizerFiles : IDisposable
{
    private const string WholeName = "optimizer.safetensors", ShardPattern = "optimizer-*-of-*.safetensors", FormatKey = "format";

    private readonly string _folder;
    private readonly SafetensorsFile[] _files;

    private OptimizerFiles(string folder, SafetensorsFile[] files) => (_folder, _files) = (folder, files);

    /// <summary>Opens those of a checkpoint.</summary>
    /// <exception cref="UserErrorException">There are none, or one is damaged.</exception>
    public static OptimizerFiles Open(string folder)
    {
        string[] shards = Directory.Exists(folder) ? [.. Directory.EnumerateFiles(folder, ShardPattern).Order(StringComparer.Ordinal)] : [];
        List<SafetensorsFile> files = [];
        try
        {
            files.AddRange((shards.Length > 0 ? shards : [Path.Combine(folder, WholeName)]).Select(SafetensorsFile.Open));
            return new OptimizerFiles(folder, [.. files]);
        }
        catch
        {
            files.ForEach(file => file.Dispose());
            throw;
        }
    }

    /// <summary>Writes that of a rank.</summary>
    /// <param name="folder">The checkpoint.</param>
    /// <param name="state">What the rank remembers.</param>
    /// <param name="rank">Its number.</param>
    /// <returns>The file's name and its SHA-256.</returns>
    /// <exception cref="UserErrorException">It cannot be written.</exception>
    public static (string Name, string Hash) Write(string folder, OptimizerState state, int rank)
    {
        Dictionary<string, string> metadata = new() { [FormatKey] = "pt" };
        foreach (string parameter in state.Select(pair => pair.Key))
        {
            if (state.Shards?.Of(parameter, rank) is Shard shard)
            {
                metadata.Add(parameter, shard.Slice.Start.ToString(CultureInfo.InvariantCulture));
            }
        }

        string name = state.Shards is null ? WholeName
            : string.Create(CultureInfo.InvariantCulture, $"optimizer-{rank + 1:00000}-of-{state.Shards.Ranks:00000}.safetensors");
        return (name, SafetensorsWriter.Write(
            Path.Combine(folder, name),
            state.SelectMany(parameter => parameter.Value.Slots.Select(slot => TensorFile.Entry(NameOf(parameter.Key, slot.Key), slot.Value.Value))),
            metadata));
    }

    /// <summary>What is remembered of a parameter, shaped like it.</summary>
    /// <param name="parameter">The parameter.</param>
    /// <param name="slot">The name of the slot.</param>
    /// <param name="device">Where to put it.</param>
    /// <exception cref="UserErrorException">It is not there, or not all of it.</exception>
    public Tensor Read(ParameterSpec parameter, string slot, Device device)
    {
        string name = NameOf(parameter.Name, slot);
        SafetensorsFile[] holders = [.. _files.Where(file => file.Contains(name)).DefaultIfEmpty(_files[0])];
        if (holders is [SafetensorsFile only] && only[name].Shape.Count == parameter.Axes.Count)
        {
            return TensorFile.Read(only, name, parameter.Shape, device);
        }

        using var scope = new TensorScope();
        Tensor value = Tensor.Empty(parameter.Shape, ScalarType.Float32, device);
        long end = 0;
        foreach ((SafetensorsFile file, Slice slice) in holders.Select(file => (file, SliceOf(file, parameter.Name, name))).OrderBy(part => part.Item2.Start))
        {
            if (slice.Start != end || slice.Length > value.Count - end)
            {
                break;
            }

            slice.Of(value).CopyFrom(TensorFile.Read(file, name, [slice.Length], device));
            end += slice.Length;
        }

        return end == value.Count ? scope.Keep(value) : throw new UserErrorException(
            $"{_folder}: the files {ShardPattern} do not hold all of '{name}': the elements from {end} on are not where they should be.",
            "A file is missing, or comes from another checkpoint: restore all of them together.");
    }

    /// <inheritdoc/>
    public void Dispose() => Array.ForEach(_files, file => file.Dispose());

    private static Slice SliceOf(SafetensorsFile file, string parameter, string name) =>
        file.Metadata.TryGetValue(parameter, out string? text) && long.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out long start)
            ? new Slice(start, file[name].ByteLength / sizeof(float))
            : throw new UserErrorException($"{file.Path} does not say which elements of '{name}' it holds.");

    private static string NameOf(string parameter, string slot) => $"{parameter}.{slot}";
}
